package driver

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// admission decides how many calls use the interpreter at once.
//
// Python runs one thread at a time; goroutines that fight for it from many
// threads cost each other far more than a queue does. So a call takes a slot, of
// which there are few. Where one is free the call runs on its own goroutine;
// otherwise it waits, and a server, a goroutine that has a slot, runs the waiting
// calls one after another, in the order they came: the interpreter never waits for
// a goroutine to wake up.
//
// A blocked call does not keep others out: it has no slot while it is in a host
// callback, and one that blocks in I/O of its own loses it. Another server goes on
// with the queue then. A hook that blocked before runs without a slot at once,
// until it is quick again. All calls inside Python hold a thread each, with or
// without a slot; most bounds them.
//
// ticket.go has the states of a call, and the only code that changes them.
type admission struct {
	mu    sync.Mutex
	slots []*ticket // who has each, nil for nobody
	most  int       // calls inside Python
	count [places]int
	// Calls that wait: for a slot, and those that need none for one of most.
	queue, unslottedQueue queue
	watched               bool
	now                   uint32        // ticks of the watcher
	waited                time.Duration // by all calls that had to
}

// hookStats is what admission learnt of one hook.
type hookStats struct {
	async     bool // waits on Python's event loop: never needs a slot
	blocks    atomic.Bool
	readsBody atomic.Bool
}

// newAdmission makes room for slots calls in the interpreter, and for most calls
// inside Python.
func newAdmission(slots, most int) *admission {
	return &admission{slots: make([]*ticket, slots), most: most}
}

// do runs t's call and returns when it has ended, or with ctx's error when that
// ends before the call began. id is the call's name in callbacks: no other call of
// this ticket has it.
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
	a.move(t, waiting)
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
	<-t.done // it has begun: the library has its memory
	return nil
}

// serve runs t's call and then those that wait, as long as it has a slot. The
// goroutine of a call that has ended is woken before the next one runs, which may
// block.
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

// The rest runs with mu held.

// admit lets t's call begin when there is room for it.
func (a *admission) admit(t *ticket) bool {
	blocks := t.hook.blocks.Load()
	switch {
	case a.inside() >= a.most || !blocks && a.free() == 0:
		return false
	case blocks:
		t.begun = time.Now()
		a.move(t, unslotted)
	default:
		a.move(t, running)
	}
	return true
}

// end takes t out, from wherever it is.
func (a *admission) end(t *ticket) {
	if t.place != waiting && t.hook.blocks.Load() && !t.hook.async && time.Since(t.begun) < tick {
		t.hook.blocks.Store(false)
	}
	a.move(t, outside)
	t.id, t.callbacks = 0, 0
}

// next admits the oldest waiting call; nil when there is none or no room.
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

// admitWaiting starts a server for each waiting call that has room now.
func (a *admission) admitWaiting() {
	for t := a.next(); t != nil; t = a.next() {
		go a.serve(t)
	}
}
