package driver

import "time"

const (
	tick       = time.Millisecond
	stuckTicks = 2 // ticks in a slot after which a call counts as stuck
)

// watch starts the goroutine that looks for stuck calls; it ends when nobody waits.
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
			if !a.look() {
				return
			}
		}
	}()
}

// look takes the slots of stuck calls and gives them to those that wait.
func (a *admission) look() (again bool) {
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
			a.giveUp(t)
		}
	}
	a.letIn()
	return true
}
