package driver

import "time"

const (
	tick       = time.Millisecond
	stuckTicks = 2 // ticks in a slot after which a call counts as blocked
)

// watch starts the goroutine that looks for blocked calls; it ends when nobody waits.
// mu is held.
func (a *admission) watch() {
	if a.watched {
		return
	}
	a.watched = true
	go func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for range ticker.C {
			if !a.takeSlots() {
				return
			}
		}
	}()
}

// takeSlots takes the slots of blocked calls and gives them to those that wait.
func (a *admission) takeSlots() (again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queue.first == nil {
		a.watched = false
		return false
	}
	a.now++
	for _, t := range a.slots {
		if t != nil && a.now-t.since >= stuckTicks {
			t.hook.blocks.Store(true)
			a.move(t, unslotted)
		}
	}
	a.admitWaiting()
	return true
}
