package driver

import "time"

// Usage tells what the interpreter is doing.
type Usage struct {
	Running int           // calls that have a slot
	Beside  int           // calls inside Python beside the slots, waiting for something else
	Waiting int           // calls that wait for a slot
	Waited  time.Duration // that calls have waited for one, in all
}

func (a *admission) usage() Usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Usage{
		Running: a.slots - a.free, Beside: len(a.beside), Waiting: len(a.queue),
		Waited: time.Duration(a.waited.Load()),
	}
}
