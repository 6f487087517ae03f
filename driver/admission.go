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
// threads cost each other far more than a queue does. So calls take a slot, of
// which there are few, in the order they came. A call that waits for something
// else does not keep others out: it steps out of its slot while it is in a host
// callback, and one that is stuck in I/O of its own loses it. A hook that got
// stuck before is let in beside the slots at once, until it is quick again.
type admission struct {
	mu      sync.Mutex
	free    int       // slots nobody has
	queue   []*ticket // calls that wait for one, oldest first
	beside  chan struct{}
	calls   []*ticket // by id-1, never shrinks
	idle    []*ticket
	watched bool
	now     atomic.Uint32 // ticks of the watcher
	slots   int
	waited  atomic.Int64 // nanoseconds, by all calls that had to
}

// ticket is one call's place. It is used again when the call has ended.
type ticket struct {
	id      uint32
	since   uint32 // tick at which it got its slot
	inSlot  bool
	hook    *habits
	started time.Time // of a call beside the slots
	ready   chan struct{}
	lent    lent
}

// habits is what admission learnt of one hook.
type habits struct {
	async  bool // waits on Python's event loop: always beside the slots
	blocks atomic.Bool
	looks  atomic.Bool // at bodies
}

const (
	tick       = time.Millisecond
	stuckTicks = 2 // ticks in a slot after which a call counts as stuck
)

// newAdmission makes room for slots calls in the interpreter, and for most
// calls beside the slots.
func newAdmission(slots, most int) *admission {
	return &admission{free: slots, slots: slots, beside: make(chan struct{}, most)}
}

// enter waits for a place for a call (nil for an event); leave gives it back.
func (a *admission) enter(ctx context.Context, hook *habits, call *Call) (*ticket, error) {
	if hook.blocks.Load() {
		return a.enterBeside(ctx, hook, call)
	}
	a.mu.Lock()
	t := a.newTicket(hook, call)
	if a.take(t) {
		a.mu.Unlock()
		return t, nil
	}
	a.queue = append(a.queue, t)
	a.watch()
	a.mu.Unlock()
	begin := time.Now()
	select {
	case <-t.ready:
		a.waited.Add(int64(time.Since(begin)))
		return t, nil
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.inSlot { // it came at the same moment
		<-t.ready
		a.giveUp(t)
	} else {
		a.dequeue(t)
	}
	a.idle = append(a.idle, t)
	return nil, ctx.Err()
}

func (a *admission) enterBeside(ctx context.Context, hook *habits, call *Call) (*ticket, error) {
	select {
	case a.beside <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.newTicket(hook, call)
	t.started = time.Now()
	return t, nil
}

// leave ends t's call; it returns why a body could not be read, where that was so.
func (a *admission) leave(t *ticket) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !t.started.IsZero() {
		<-a.beside
		if !t.hook.async && time.Since(t.started) < tick {
			t.hook.blocks.Store(false)
		}
		t.started = time.Time{}
	}
	if t.inSlot {
		a.giveUp(t)
	}
	a.idle = append(a.idle, t)
	return t.lent.takeBack()
}

// stepOut lets another call in while t is in a host callback.
func (a *admission) stepOut(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.inSlot {
		a.giveUp(t)
	}
}

// stepIn comes back from a host callback. It does not wait: the call holds
// memory and a thread, so the sooner it ends the better.
func (a *admission) stepIn(t *ticket) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(t)
}

// callOf returns the ticket with that id, nil for 0.
func (a *admission) callOf(id uint32) *ticket {
	if id == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.calls[id-1]
}

// The rest runs with mu held.

func (a *admission) newTicket(hook *habits, call *Call) *ticket {
	var t *ticket
	if n := len(a.idle); n > 0 {
		t, a.idle = a.idle[n-1], a.idle[:n-1]
	} else {
		t = &ticket{id: uint32(len(a.calls) + 1), ready: make(chan struct{}, 1)}
		a.calls = append(a.calls, t)
	}
	t.hook, t.lent.call = hook, call
	return t
}

func (a *admission) take(t *ticket) bool {
	if a.free <= 0 {
		return false
	}
	a.free--
	t.inSlot, t.since = true, a.now.Load()
	return true
}

// giveUp passes t's slot to the oldest in the queue, or makes it free.
func (a *admission) giveUp(t *ticket) {
	t.inSlot = false
	a.free++
	a.letIn()
}

func (a *admission) letIn() {
	for len(a.queue) > 0 && a.take(a.queue[0]) {
		a.queue[0].ready <- struct{}{}
		a.queue = a.queue[1:]
	}
}

func (a *admission) dequeue(t *ticket) {
	for i, waiting := range a.queue {
		if waiting == t {
			a.queue = append(a.queue[:i], a.queue[i+1:]...)
			return
		}
	}
}

// watch starts the goroutine that looks for stuck calls; it ends when nobody waits.
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
	if len(a.queue) == 0 {
		a.watched = false
		return false
	}
	now := a.now.Add(1)
	for _, t := range a.calls {
		if t.inSlot && now-t.since >= stuckTicks {
			t.hook.blocks.Store(true)
			a.giveUp(t)
		}
	}
	return true
}
