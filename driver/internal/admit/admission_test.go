package admit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// job is a call without Python: f runs in its place.
type job struct {
	Ticket
	f func(*Ticket)
}

func (j *job) Run() { j.f(&j.Ticket) }

func newJob(f func(*Ticket)) *job {
	j := &job{f: f}
	j.Init(j)
	j.Hook = &Hook{}
	return j
}

// within fails when f takes longer than a test can wait.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " did not happen")
	}
}

func TestNoMoreCallsRunAtOnceThanThereAreSlots(t *testing.T) {
	for _, slots := range []int{1, 3} {
		a := New(slots, 100)
		var inside, most, ran atomic.Int32
		var group sync.WaitGroup
		for range 50 {
			group.Add(1)
			go func() {
				defer group.Done()
				for range 100 {
					_ = a.Do(context.Background(), &newJob(func(*Ticket) {
						if n := inside.Add(1); n > most.Load() {
							most.Store(n)
						}
						ran.Add(1)
						inside.Add(-1)
					}).Ticket, 1)
				}
			}()
		}
		within(t, "the end of all calls", group.Wait)
		if ran.Load() != 5000 || most.Load() > int32(slots) {
			t.Errorf("%d calls ran, %d at once in %d slots", ran.Load(), most.Load(), slots)
		}
		if u := a.Usage(); u.Running != 0 || u.Unslotted != 0 || u.Waiting != 0 {
			t.Errorf("left behind: %+v", u)
		}
	}
}

// occupy takes the one slot until release is called.
func occupy(t *testing.T, a *Admission, hook *Hook) (release func()) {
	begun, end := make(chan struct{}), make(chan struct{})
	j := newJob(func(*Ticket) { close(begun); <-end })
	j.Hook = hook
	ended := make(chan struct{})
	go func() { _ = a.Do(context.Background(), &j.Ticket, 1); close(ended) }()
	within(t, "the beginning of a call", func() { <-begun })
	return func() { close(end); <-ended }
}

func waitFor(t *testing.T, a *Admission, n int) {
	t.Helper()
	within(t, "waiting", func() {
		for a.Usage().Waiting != n {
			time.Sleep(100 * time.Microsecond)
		}
	})
}

func TestWaitingCallsRunInTheOrderTheyCame(t *testing.T) {
	a := New(1, 100)
	a.watching = true // nobody looks for stuck calls
	release := occupy(t, a, &Hook{})
	var order []int
	var group sync.WaitGroup
	for i := range 10 {
		group.Add(1)
		go func() {
			defer group.Done()
			_ = a.Do(context.Background(), &newJob(func(*Ticket) { order = append(order, i) }).Ticket, 1)
		}()
		waitFor(t, a, i+1)
	}
	release()
	within(t, "the end of all calls", group.Wait)
	if !slices.IsSorted(order) || len(order) != 10 {
		t.Error(order)
	}
}

func TestACallThatIsCancelledWhileItWaitsNeverRuns(t *testing.T) {
	a := New(1, 100)
	a.watching = true
	release := occupy(t, a, &Hook{})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	for range 3 {
		go func() { result <- a.Do(ctx, &newJob(func(*Ticket) { t.Error("it ran") }).Ticket, 1) }()
	}
	waitFor(t, a, 3)
	cancel()
	for range 3 {
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	release()
	ran := false
	within(t, "the next call", func() { _ = a.Do(context.Background(), &newJob(func(*Ticket) { ran = true }).Ticket, 1) })
	if !ran {
		t.Error("the slot is lost")
	}
}

func TestAStuckCallLosesItsSlotAndItsHookRunsWithoutOneFromThenOn(t *testing.T) {
	a := New(1, 100)
	var sleeps Hook
	release := occupy(t, a, &sleeps)
	within(t, "a call while another is stuck", func() {
		_ = a.Do(context.Background(), &newJob(func(*Ticket) {}).Ticket, 1)
	})
	if !sleeps.blocks.Load() {
		t.Error("the hook is not known to block")
	}
	again := occupy(t, a, &sleeps)
	if u := a.Usage(); u.Running != 0 || u.Unslotted != 2 {
		t.Errorf("two calls without a slot are %+v", u)
	}
	release()
	again()
	quick := newJob(func(*Ticket) {})
	quick.Hook = &sleeps
	for tries := 0; sleeps.blocks.Load(); tries++ { // a noisy machine may delay it
		if tries == 1000 {
			t.Fatal("a hook that is quick again stays without a slot")
		}
		_ = a.Do(context.Background(), &quick.Ticket, 1)
	}
}

func TestACallGivesItsSlotAwayWhileItWaitsForTheHost(t *testing.T) {
	a := New(1, 100)
	a.watching = true
	within(t, "a call while another is outside", func() {
		_ = a.Do(context.Background(), &newJob(func(called *Ticket) {
			a.EnterCallback(called, 1)
			_ = a.Do(context.Background(), &newJob(func(*Ticket) {}).Ticket, 1)
			a.LeaveCallback(called, 1)
		}).Ticket, 1)
	})
	if u := a.Usage(); u.Running != 0 || u.Unslotted != 0 {
		t.Errorf("left behind: %+v", u)
	}
}

func TestNoMoreCallsAreInsidePythonThanAllowed(t *testing.T) {
	a := New(1, 3)
	async := &Hook{async: true}
	async.blocks.Store(true)
	var releases []func()
	for range 3 {
		releases = append(releases, occupy(t, a, async))
	}
	var group sync.WaitGroup
	for _, hook := range []*Hook{async, {}} {
		group.Add(1)
		go func() {
			defer group.Done()
			j := newJob(func(*Ticket) {})
			j.Hook = hook
			_ = a.Do(context.Background(), &j.Ticket, 1)
		}()
	}
	waitFor(t, a, 2)
	for _, release := range releases {
		release()
	}
	within(t, "the end of all calls", group.Wait)
	if u := a.Usage(); u.Unslotted != 0 || u.Waited == 0 {
		t.Errorf("left behind: %+v", u)
	}
}

func TestTheNextCallDoesNotDelayOneThatHasEnded(t *testing.T) {
	a := New(1, 200)
	release := occupy(t, a, &Hook{})
	end := make(chan struct{})
	ended := make(chan int, 100)
	start := func(i int, f func(*Ticket)) {
		j := newJob(f)
		go func() { _ = a.Do(context.Background(), &j.Ticket, 1); ended <- i }()
	}
	a.mu.Lock()
	a.watching = true // nobody looks for stuck calls while they queue
	a.mu.Unlock()
	start(0, func(*Ticket) {})
	waitFor(t, a, 1)
	start(1, func(*Ticket) { <-end })
	waitFor(t, a, 2)
	for i := 2; i < 70; i++ {
		start(i, func(*Ticket) {})
	}
	waitFor(t, a, 70)
	release()
	within(t, "the end of the call before the stuck one", func() {
		if first := <-ended; first != 0 {
			t.Errorf("call %d ended first", first)
		}
	})
	close(end)
	within(t, "the end of all calls", func() {
		for range 69 {
			<-ended
		}
	})
}
