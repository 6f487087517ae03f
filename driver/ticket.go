package driver

import (
	"slices"
	"time"
)

// state is the state of a call:
//
//	idle ──► running ◄──► unslotted ──► idle
//	  └──► waiting ──┴──────────┘
//
// Callbacks (enterCallback, leaveCallback) and the watcher, which reclaims the slots of
// blocked calls, move a call between running and unslotted. A waiting call that is
// cancelled becomes idle.
type state uint8

const (
	stateIdle      state = iota // not begun, or ended
	stateWaiting                // in a queue
	stateRunning                // inside Python, with a slot
	stateUnslotted              // inside Python without a slot: blocked, or in a callback
	numStates
)

// ticket is a call as the admission sees it. The admission's mutex guards all fields
// except work, hook and done.
type ticket struct {
	work interface{ run() }
	hook *hookStats
	done chan struct{} // buffered, for one value

	id    uint64 // of the call; 0 while idle
	state state
	// callbacks counts the callbacks under way, on the call's thread and on threads of
	// plugins. The first gives up the slot; after the last, the call may take one again.
	callbacks int
	slot      int       // number of its slot, from 1; 0 for none
	since     uint32    // tick at which it got the slot
	asked     time.Time // when it started to wait
	begun     time.Time // when it started to run without a slot
	next      *ticket   // in its queue
}

// move is the only code that changes a ticket's state; it updates the counts. mu must be
// held, and a slot must be free if to is stateRunning.
func (a *admission) move(t *ticket, to state) {
	if t.state == stateRunning {
		a.slots[t.slot-1], t.slot = nil, 0
	}
	a.count[t.state]--
	t.state = to
	a.count[to]++
	if to == stateRunning {
		i := slices.Index(a.slots, nil)
		a.slots[i], t.slot, t.since = t, i+1, a.now
	}
}

// inPython returns the number of calls inside Python, free the number of free slots.
func (a *admission) inPython() int { return a.count[stateRunning] + a.count[stateUnslotted] }
func (a *admission) free() int     { return len(a.slots) - a.count[stateRunning] }

// enterCallback gives the slot of t's call to another call for the time of a host
// callback. It returns false if the call with that id is not running; leaveCallback must
// then not be called.
func (a *admission) enterCallback(t *ticket, id uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.id != id || t.state != stateRunning && t.state != stateUnslotted {
		return false
	}
	t.callbacks++
	if t.state == stateRunning {
		a.move(t, stateUnslotted)
		a.admitWaiting()
	}
	return true
}

// leaveCallback ends a host callback. It takes a slot if one is free and does not wait for
// one: the call holds memory and a thread, so it should end soon.
func (a *admission) leaveCallback(t *ticket, id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.id != id || t.callbacks == 0 {
		return // the call has ended meanwhile
	}
	t.callbacks--
	if t.callbacks == 0 && !t.hook.async && t.state == stateUnslotted && a.free() > 0 {
		a.move(t, stateRunning)
	}
}
