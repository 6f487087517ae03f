package driver

import "time"

// Usage tells what the interpreter is doing.
type Usage struct {
	Running int           // calls that have a slot
	Beside  int           // calls inside Python beside the slots, waiting for something else
	Waiting int           // calls that wait to begin
	Waited  time.Duration // that calls have waited for one, in all
}

func (a *admission) usage() Usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	running := len(a.slots) - a.free
	return Usage{
		Running: running, Beside: a.inside - running, Waiting: a.queue.length + a.beside.length,
		Waited: a.waited,
	}
}
