package driver

import (
	"context"
	"slices"
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
// A call that waits for something else does not keep others out: it gives its
// slot away while it is in a host callback, and one that is stuck in I/O of its own
// loses it. Another server goes on with the queue then. A hook that got stuck
// before runs beside the slots at once, until it is quick again. All calls inside
// Python, in a slot or not, hold a thread each: most bounds them.
type admission struct {
	mu      sync.Mutex
	slots   []*ticket // who has each, nil for nobody
	free    int       // slots nobody has
	most    int
	inside  int   // calls inside Python
	queue   queue // calls that wait for a slot
	beside  queue // calls that need none and wait because too many are inside
	watched bool
	now     uint32        // ticks of the watcher
	waited  time.Duration // by all calls that had to
}

// ticket is one call's place.
type ticket struct {
	work  interface{ run() }
	hook  *habits
	slot  int           // number of the slot it has, from 1; 0 for none
	since uint32        // tick at which it got it
	asked time.Time     // when it began to wait
	begun time.Time     // when it began to run beside the slots
	done  chan struct{} // has room for one
	next  *ticket       // in its queue
}

// habits is what admission learnt of one hook.
type habits struct {
	async  bool // waits on Python's event loop: always beside the slots
	blocks atomic.Bool
	looks  atomic.Bool // at bodies
}

// newAdmission makes room for slots calls in the interpreter, and for most calls
// inside Python.
func newAdmission(slots, most int) *admission {
	return &admission{slots: make([]*ticket, slots), free: slots, most: most}
}

// do runs t's call and returns when it has ended, or with ctx's error when that
// ends before the call began.
func (a *admission) do(ctx context.Context, t *ticket) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a.mu.Lock()
	if a.admit(t) {
		a.mu.Unlock()
		t.work.run()
		a.mu.Lock()
		a.end(t)
		a.letIn()
		a.mu.Unlock()
		return nil
	}
	t.asked = time.Now()
	if t.hook.blocks.Load() {
		a.beside.push(t)
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
	waiting := a.queue.remove(t) || a.beside.remove(t)
	a.mu.Unlock()
	if waiting {
		return ctx.Err()
	}
	<-t.done // it has begun: the library has its memory
	return nil
}

// serve runs t's call and then those that wait, as long as it has a slot. The
// goroutine of a call that has ended is woken before the next one runs, which may
// get stuck.
func (a *admission) serve(t *ticket) {
	for t != nil {
		ended := t
		ended.work.run()
		a.mu.Lock()
		a.end(ended)
		t = a.next()
		a.letIn()
		a.mu.Unlock()
		ended.done <- struct{}{}
	}
}

// stepOut lets another call in while t is in a host callback.
func (a *admission) stepOut(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.giveUp(t)
	a.letIn()
}

// stepIn comes back from a host callback. It does not wait: the call holds
// memory and a thread, so the sooner it ends the better.
func (a *admission) stepIn(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.free > 0 {
		a.take(t)
	}
}

// The rest runs with mu held.

// admit gives t its place when there is one.
func (a *admission) admit(t *ticket) bool {
	blocks := t.hook.blocks.Load()
	switch {
	case a.inside >= a.most || !blocks && a.free == 0:
		return false
	case blocks:
		t.begun = time.Now()
	default:
		a.take(t)
	}
	a.inside++
	return true
}

// end takes t's place back.
func (a *admission) end(t *ticket) {
	a.inside--
	if t.hook.blocks.Load() && !t.hook.async && time.Since(t.begun) < tick {
		t.hook.blocks.Store(false)
	}
	a.giveUp(t)
}

// take gives t a slot; one is free.
func (a *admission) take(t *ticket) {
	i := slices.Index(a.slots, nil)
	a.slots[i], t.slot, t.since = t, i+1, a.now
	a.free--
}

// giveUp takes t's slot, if it has one.
func (a *admission) giveUp(t *ticket) {
	if t.slot > 0 {
		a.slots[t.slot-1], t.slot = nil, 0
		a.free++
	}
}

// next admits the oldest waiting call; nil when there is none or no place.
func (a *admission) next() *ticket {
	for _, q := range []*queue{&a.queue, &a.beside} {
		if t := q.first; t != nil && a.admit(t) {
			q.remove(t)
			a.waited += time.Since(t.asked)
			return t
		}
	}
	return nil
}

// letIn starts a server for each waiting call that has a place now.
func (a *admission) letIn() {
	for t := a.next(); t != nil; t = a.next() {
		go a.serve(t)
	}
}
