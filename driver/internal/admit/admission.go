// Package admit decides how many calls use the interpreter at once, and which.
package admit

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Admission decides how many calls use the interpreter at once.
//
// Python runs one thread at a time, and contention for the GIL from many threads
// costs far more than a queue. So a call needs a slot, of which there are few. If one
// is free the call runs on its own goroutine. Otherwise it waits, and a goroutine
// that has a slot (serve) runs the waiting calls one after another, in order of
// arrival, so that the interpreter never waits for a goroutine to wake up.
//
// A blocked call does not block others: it gives up its slot while it is in a host
// callback, and loses it when it blocks in I/O of its own. Another goroutine then
// serves the queue. A hook that has blocked runs without a slot from then on, until a
// call of it is quick again. Every call inside Python occupies a thread, with or
// without a slot; maxCalls bounds them.
//
// ticket.go defines the states of a call and contains the only code that changes them.
type Admission struct {
	mu       sync.Mutex
	slots    []*Ticket // owner of each slot; nil if it is free
	maxCalls int       // limit of calls inside Python
	count    [numStates]int
	// Waiting calls: for a slot, and, for those that need no slot, below maxCalls.
	queue, unslottedQueue queue
	watching              bool
	now                   uint32        // ticks of the watcher
	waited                time.Duration // total, of all calls that waited
}

// Hook is what an admission has learnt about one hook.
type Hook struct {
	async  bool // runs on Python's event loop: never needs a slot
	blocks atomic.Bool
}

// SetAsync marks a hook that waits on Python's event loop and so never needs a slot. It
// must be called before the first call.
func (h *Hook) SetAsync() {
	h.async = true
	h.blocks.Store(true)
}

// New returns an admission with the given number of slots that admits at most
// maxCalls calls into Python.
func New(slots, maxCalls int) *Admission {
	return &Admission{slots: make([]*Ticket, slots), maxCalls: maxCalls}
}

// Do runs t's call and waits for its end. If ctx ends before the call has begun, Do
// returns ctx's error. id identifies the call in callbacks; no other call of this
// ticket has the same one.
func (a *Admission) Do(ctx context.Context, t *Ticket, id uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	t.id = id
	if a.admit(t) {
		a.mu.Unlock()
		t.Work.Run()
		a.mu.Lock()
		a.end(t)
		a.admitWaiting()
		a.mu.Unlock()
		return nil
	}
	t.asked = time.Now()
	a.move(t, stateWaiting)
	if t.Hook.blocks.Load() {
		a.unslottedQueue.push(t)
	} else {
		a.queue.push(t)
		a.watch()
	}
	a.mu.Unlock()
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	removed := a.queue.remove(t) || a.unslottedQueue.remove(t)
	if removed {
		a.end(t)
	}
	a.mu.Unlock()
	if removed {
		return ctx.Err()
	}
	<-t.done // the call has begun: the library uses its memory
	return nil
}

// serve runs t's call, and then waiting calls for as long as they are admitted. It
// wakes the goroutine of an ended call before it runs the next one, which may block.
func (a *Admission) serve(t *Ticket) {
	for t != nil {
		ended := t
		ended.Work.Run()
		a.mu.Lock()
		a.end(ended)
		t = a.next()
		a.admitWaiting()
		a.mu.Unlock()
		ended.done <- struct{}{}
	}
}

// The methods below require mu to be held.

// admit reports whether t's call may begin, and moves it if so.
func (a *Admission) admit(t *Ticket) bool {
	blocks := t.Hook.blocks.Load()
	switch {
	case a.inPython() >= a.maxCalls || !blocks && a.free() == 0:
		return false
	case blocks:
		t.begun = time.Now()
		a.move(t, stateUnslotted)
	default:
		a.move(t, stateRunning)
	}
	return true
}

// end moves t to stateIdle, whatever state it is in.
func (a *Admission) end(t *Ticket) {
	if t.state != stateWaiting && t.Hook.blocks.Load() && !t.Hook.async && time.Since(t.begun) < tick {
		t.Hook.blocks.Store(false)
	}
	a.move(t, stateIdle)
	t.id, t.callbacks = 0, 0
}

// next admits and returns the oldest waiting call; nil if none can be admitted.
func (a *Admission) next() *Ticket {
	for _, q := range []*queue{&a.queue, &a.unslottedQueue} {
		if t := q.first; t != nil && a.admit(t) {
			q.remove(t)
			a.waited += time.Since(t.asked)
			return t
		}
	}
	return nil
}

// admitWaiting starts a goroutine for each waiting call that can be admitted.
func (a *Admission) admitWaiting() {
	for t := a.next(); t != nil; t = a.next() {
		go a.serve(t)
	}
}

// Usage returns the numbers of calls in each state.
func (a *Admission) Usage() driver.Usage {
	a.mu.Lock()
	defer a.mu.Unlock()
	return driver.Usage{
		Running: a.count[stateRunning], Unslotted: a.count[stateUnslotted], Waiting: a.count[stateWaiting],
		Waited: a.waited,
	}
}
