package driver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// admission decides how many calls use the interpreter at once.
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
type admission struct {
	mu       sync.Mutex
	slots    []*ticket // owner of each slot; nil if it is free
	maxCalls int       // limit of calls inside Python
	count    [numStates]int
	// Waiting calls: for a slot, and, for those that need no slot, below maxCalls.
	queue, unslottedQueue queue
	watching              bool
	now                   uint32        // ticks of the watcher
	waited                time.Duration // total, of all calls that waited
}

// hookStats is what admission has learnt about one hook.
type hookStats struct {
	async     bool // runs on Python's event loop: never needs a slot
	blocks    atomic.Bool
	readsBody atomic.Bool
}

// newAdmission returns an admission with the given number of slots that admits at most
// maxCalls calls into Python.
func newAdmission(slots, maxCalls int) *admission {
	return &admission{slots: make([]*ticket, slots), maxCalls: maxCalls}
}

// do runs t's call and waits for its end. If ctx ends before the call has begun, do
// returns ctx's error. id identifies the call in callbacks; no other call of this
// ticket has the same one.
func (a *admission) do(ctx context.Context, t *ticket, id uint64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	t.id = id
	if a.admit(t) {
		a.mu.Unlock()
		t.work.run()
		a.mu.Lock()
		a.end(t)
		a.admitWaiting()
		a.mu.Unlock()
		return nil
	}
	t.asked = time.Now()
	a.move(t, stateWaiting)
	if t.hook.blocks.Load() {
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
func (a *admission) serve(t *ticket) {
	for t != nil {
		ended := t
		ended.work.run()
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
func (a *admission) admit(t *ticket) bool {
	blocks := t.hook.blocks.Load()
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
func (a *admission) end(t *ticket) {
	if t.state != stateWaiting && t.hook.blocks.Load() && !t.hook.async && time.Since(t.begun) < tick {
		t.hook.blocks.Store(false)
	}
	a.move(t, stateIdle)
	t.id, t.callbacks = 0, 0
}

// next admits and returns the oldest waiting call; nil if none can be admitted.
func (a *admission) next() *ticket {
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
func (a *admission) admitWaiting() {
	for t := a.next(); t != nil; t = a.next() {
		go a.serve(t)
	}
}
