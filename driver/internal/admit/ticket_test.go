package admit

import (
	"context"
	"math/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// check returns what is wrong with the admission's counts, which it recounts from
// the tickets themselves.
func check(a *Admission, tickets []*Ticket) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var count [numStates]int
	held := 0
	for _, t := range tickets {
		count[t.state]++
		if t.slot > 0 {
			held++
		}
		switch {
		case (t.state == stateRunning) != (t.slot > 0):
			return "a call has a slot and does not run in it, or the reverse"
		case t.slot > 0 && a.slots[t.slot-1] != t:
			return "a slot is not its owner's"
		case t.callbacks > 0 && t.state != stateUnslotted:
			return "a call in a callback has a slot, or has ended"
		case t.state == stateIdle && (t.id != 0 || t.callbacks != 0):
			return "something is left of a call that has ended"
		}
	}
	free := 0
	for _, t := range a.slots {
		if t == nil {
			free++
		}
	}
	switch {
	case free+held != len(a.slots):
		return "slots are lost"
	case free != a.free() || count[stateRunning] != a.count[stateRunning] || count[stateUnslotted] != a.count[stateUnslotted] ||
		count[stateWaiting] != a.count[stateWaiting]:
		return "a counter has drifted"
	case a.inPython() > a.maxCalls:
		return "too many calls are inside"
	case count[stateWaiting] != a.queue.length+a.unslottedQueue.length:
		return "a call waits in no queue"
	}
	return ""
}

// gate is a call that runs until end is closed.
type gate struct {
	Ticket
	begun, end, ended chan struct{}
}

func (g *gate) Run() { close(g.begun); <-g.end }

// This drives the admission with random events, in any order that threads of plugins
// and of the gateway may produce, and checks the counts after each.
func TestTheCountsHoldForEveryOrderOfEvents(t *testing.T) {
	for seed := range int64(60) {
		r := rand.New(rand.NewSource(seed))
		slots, most := 1+r.Intn(3), 4
		a := New(slots, most)
		a.watching = true // the test takes slots itself
		hooks := make([]*Hook, 3)
		for i := range hooks {
			hooks[i] = &Hook{async: i == 0}
			hooks[i].blocks.Store(i == 0)
		}
		type callback struct {
			g  *gate
			id uint64
		}
		var gates, live []*gate
		var tickets []*Ticket
		var callbacks []callback // stepped out, late ones of ended calls among them
		ids := uint64(0)
		cancels := map[*gate]context.CancelFunc{}
		for step := range 150 {
			switch choice := r.Intn(10); {
			case choice < 3: // a call comes; its ticket may have been used before
				g := &gate{}
				if i := slices.IndexFunc(gates, func(g *gate) bool { return !slices.Contains(live, g) }); i >= 0 && r.Intn(2) == 0 {
					g = gates[i]
				} else {
					g.Init(g)
					gates, tickets = append(gates, g), append(tickets, &g.Ticket)
				}
				g.begun, g.end, g.ended = make(chan struct{}), make(chan struct{}), make(chan struct{})
				g.Hook = hooks[r.Intn(len(hooks))]
				ids++
				ctx, cancel := context.WithCancel(context.Background())
				cancels[g] = cancel
				live = append(live, g)
				id := ids
				go func() { _ = a.Do(ctx, &g.Ticket, id); close(g.ended) }()
				within(t, "a call's beginning or waiting", func() {
					for {
						a.mu.Lock()
						arrived := g.state != stateIdle
						a.mu.Unlock()
						if arrived {
							return
						}
						time.Sleep(time.Microsecond)
					}
				})
			case choice < 5 && len(live) > 0: // one of its threads goes into a callback
				g := live[r.Intn(len(live))]
				a.mu.Lock()
				id := g.id
				a.mu.Unlock()
				if a.EnterCallback(&g.Ticket, id) {
					callbacks = append(callbacks, callback{g, id})
				}
			case choice < 7 && len(callbacks) > 0: // a callback ends, perhaps after its call
				i := r.Intn(len(callbacks))
				a.LeaveCallback(&callbacks[i].g.Ticket, callbacks[i].id)
				callbacks = slices.Delete(callbacks, i, i+1)
			case choice == 7 && len(gates) > 0: // a late callback of an earlier call
				g := gates[r.Intn(len(gates))]
				if a.EnterCallback(&g.Ticket, ids+1) {
					t.Fatal("a call that is not there stepped out")
				}
				a.LeaveCallback(&g.Ticket, ids+1)
			case choice == 8: // the watcher takes slots of blocked calls
				a.mu.Lock()
				a.watching = true
				a.mu.Unlock()
				a.reclaimSlots()
			case len(live) > 0: // a call ends, or is cancelled while it waits
				i := r.Intn(len(live))
				g := live[i]
				live = slices.Delete(live, i, i+1)
				cancels[g]()
				close(g.end)
				within(t, "a call's end", func() { <-g.ended })
			}
			if wrong := check(a, tickets); wrong != "" {
				t.Fatalf("seed %d, step %d: %s", seed, step, wrong)
			}
			for _, g := range live {
				in := 0
				for _, c := range callbacks {
					if c.g == g && c.id == g.id {
						in++
					}
				}
				if g.callbacks != in {
					t.Fatalf("seed %d, step %d: a call in %d callbacks is said to be in %d", seed, step, in, g.callbacks)
				}
			}
		}
		for _, g := range live {
			cancels[g]()
			close(g.end)
		}
		for _, g := range live {
			within(t, "a call's end", func() { <-g.ended })
		}
		if u := a.Usage(); u.Running+u.Unslotted+u.Waiting != 0 || a.free() != slots {
			t.Fatalf("seed %d: left behind: %+v", seed, u)
		}
	}
}

func TestThreadsOfManyCallsInCallbacksLoseNoSlot(t *testing.T) {
	a := New(2, 20)
	async := &Hook{async: true}
	async.blocks.Store(true)
	var tickets []*Ticket
	var group sync.WaitGroup
	for i := range 40 {
		r := rand.New(rand.NewSource(int64(i)))
		id := uint64(i) << 32
		j := newJob(func(called *Ticket) {
			var threads sync.WaitGroup
			name := id
			for range 3 {
				threads.Add(1)
				go func() { // some of them outlast the call
					defer threads.Done()
					for range 3 {
						a.EnterCallback(called, name)
						a.LeaveCallback(called, name)
					}
				}()
			}
			if a.EnterCallback(called, id) {
				a.LeaveCallback(called, id)
			}
			if id%2 == 0 {
				threads.Wait()
			}
		})
		if i%3 == 0 {
			j.Hook = async
		}
		tickets = append(tickets, &j.Ticket)
		group.Add(1)
		go func() {
			defer group.Done()
			for range 50 {
				ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+r.Intn(5))*time.Millisecond)
				id++
				_ = a.Do(ctx, &j.Ticket, id)
				cancel()
			}
		}()
	}
	within(t, "the end of all calls", group.Wait)
	within(t, "books that agree", func() {
		for a.Usage() != (driver.Usage{Waited: a.Usage().Waited}) {
			time.Sleep(time.Millisecond)
		}
	})
	if wrong := check(a, tickets); wrong != "" || a.free() != 2 {
		t.Error(wrong, a.free())
	}
}
