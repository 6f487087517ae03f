package driver

import "time"

// Usage tells what the interpreter is doing.
type Usage struct {
	Running   int           // calls that have a slot
	Unslotted int           // calls inside Python without one, waiting for something else
	Waiting   int           // calls that wait to begin
	Waited    time.Duration // that calls have waited for one, in all
	KeptBytes int64         // of buffers kept for later calls
}

func (a *admission) usage() Usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return Usage{
		Running: a.count[running], Unslotted: a.count[unslotted], Waiting: a.count[waiting],
		Waited: a.waited,
	}
}
