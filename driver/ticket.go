package driver

import (
	"slices"
	"time"
)

// place is where a call is:
//
//	outside ──► running ◄──► unslotted ──► outside
//	   └──► waiting ──┴───────────┘
//
// Between running and unslotted it goes by callbacks (stepOut, stepIn) and by the
// watcher, which takes the slots of blocked calls. A waiting call that is cancelled
// goes outside.
type place uint8

const (
	outside   place = iota // not yet, or no longer
	waiting                // in a queue
	running                // inside Python, with a slot
	unslotted              // inside Python without: blocked, or in callbacks
	places
)

// ticket is one call's place. All but work, hook and done is the admission's, under
// its lock.
type ticket struct {
	work interface{ run() }
	hook *hookStats
	done chan struct{} // has room for one

	id    uint64 // of the call; 0 outside
	place place
	// callbacks are those that the call is in, on threads of its own and of plugins.
	// In the first it gives its slot up, after the last it may take one again.
	callbacks int
	slot      int       // number of the slot it has, from 1; 0 for none
	since     uint32    // tick at which it got it
	asked     time.Time // when it began to wait
	begun     time.Time // when it began to run without a slot
	next      *ticket   // in its queue
}

// move is the only code that changes a ticket's place; what is counted is counted
// here. mu is held, and a slot is free where one is needed.
func (a *admission) move(t *ticket, to place) {
	if t.place == running {
		a.slots[t.slot-1], t.slot = nil, 0
	}
	a.count[t.place]--
	t.place = to
	a.count[to]++
	if to == running {
		i := slices.Index(a.slots, nil)
		a.slots[i], t.slot, t.since = t, i+1, a.now
	}
}

// inside is the number of calls inside Python, free that of slots nobody has.
func (a *admission) inside() int { return a.count[running] + a.count[unslotted] }
func (a *admission) free() int   { return len(a.slots) - a.count[running] }

// stepOut lets another call in while call id of t is in a host callback. It is false
// where that call has ended, or never began: then there is nothing to step in to.
func (a *admission) stepOut(t *ticket, id uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.id != id || t.place != running && t.place != unslotted {
		return false
	}
	t.callbacks++
	if t.place == running {
		a.move(t, unslotted)
		a.admitWaiting()
	}
	return true
}

// stepIn comes back from a host callback. It does not wait: the call holds
// memory and a thread, so the sooner it ends the better.
func (a *admission) stepIn(t *ticket, id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.id != id || t.callbacks == 0 {
		return // it has ended meanwhile
	}
	t.callbacks--
	if t.callbacks == 0 && !t.hook.async && t.place == unslotted && a.free() > 0 {
		a.move(t, running)
	}
}
