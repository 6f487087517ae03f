package admit

import "time"

const (
	tick         = time.Millisecond
	blockedTicks = 2 // ticks after which a call with a slot counts as blocked
)

// watch starts the goroutine that looks for blocked calls, if it does not run. It ends
// when no call waits. mu must be held.
func (a *Admission) watch() {
	if a.watching {
		return
	}
	a.watching = true
	go func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for range ticker.C {
			if !a.reclaimSlots() {
				return
			}
		}
	}()
}

// reclaimSlots gives the slots of blocked calls to waiting ones. It returns false when no
// call waits.
func (a *Admission) reclaimSlots() (again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue.first == nil {
		a.watching = false
		return false
	}
	a.now++
	for _, t := range a.slots {
		if t != nil && a.now-t.since >= blockedTicks {
			t.Hook.blocks.Store(true)
			a.move(t, stateUnslotted)
		}
	}
	a.admitWaiting()
	return true
}
