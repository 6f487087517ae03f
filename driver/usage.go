package driver

import "time"

// Usage describes the load of the interpreter.
type Usage struct {
	Running   int           // calls with a slot
	Unslotted int           // calls inside Python without a slot: blocked
	Waiting   int           // calls in the queue
	Waited    time.Duration // total time that calls have waited in the queue
	KeptBytes int64         // size of buffers kept for later calls
}
