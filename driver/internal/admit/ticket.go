package admit

import (
	"slices"
	"time"
)

// state is the state of a call:
//
//	idle ──► running ◄──► unslotted ──► idle
//	  └──► waiting ──┴──────────┘
//
// Callbacks (EnterCallback, LeaveCallback) and the watcher, which reclaims the slots of
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

// Ticket is a call as the admission sees it. Work and Hook are set before Do. The
// admission's mutex guards the fields below done.
type Ticket struct {
	Work interface{ Run() } // runs the call, on any goroutine
	Hook *Hook
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
	next      *Ticket   // in its queue
}

// Init prepares a ticket, which serves one call after another.
func (t *Ticket) Init(work interface{ Run() }) { t.Work, t.done = work, make(chan struct{}, 1) }

// move is the only code that changes a ticket's state; it updates the counts. mu must be
// held, and a slot must be free if to is stateRunning.
func (a *Admission) move(t *Ticket, to state) {
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
func (a *Admission) inPython() int { return a.count[stateRunning] + a.count[stateUnslotted] }
func (a *Admission) free() int     { return len(a.slots) - a.count[stateRunning] }

// EnterCallback gives the slot of t's call to another call for the time of a host
// callback. It returns false if the call with that id is not running; LeaveCallback must
// then not be called.
func (a *Admission) EnterCallback(t *Ticket, id uint64) bool {
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

// LeaveCallback ends a host callback. It takes a slot if one is free and does not wait for
// one: the call holds memory and a thread, so it should end soon.
func (a *Admission) LeaveCallback(t *Ticket, id uint64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t.id != id || t.callbacks == 0 {
		return // the call has ended meanwhile
	}
	t.callbacks--
	if t.callbacks == 0 && !t.Hook.async && t.state == stateUnslotted && a.free() > 0 {
		a.move(t, stateRunning)
	}
}
