package driver

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
	ticket
	f func(*ticket)
}

func (j *job) run() { j.f(&j.ticket) }

func newJob(f func(*ticket)) *job {
	j := &job{f: f}
	j.work, j.done, j.hook = j, make(chan struct{}, 1), &hookStats{}
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
		a := newAdmission(slots, 100)
		var inside, most, ran atomic.Int32
		var group sync.WaitGroup
		for range 50 {
			group.Add(1)
			go func() {
				defer group.Done()
				for range 100 {
					_ = a.do(context.Background(), &newJob(func(*ticket) {
						if n := inside.Add(1); n > most.Load() {
							most.Store(n)
						}
						ran.Add(1)
						inside.Add(-1)
					}).ticket, 1)
				}
			}()
		}
		within(t, "the end of all calls", group.Wait)
		if ran.Load() != 5000 || most.Load() > int32(slots) {
			t.Errorf("%d calls ran, %d at once in %d slots", ran.Load(), most.Load(), slots)
		}
		if u := a.usage(); u.Running != 0 || u.Unslotted != 0 || u.Waiting != 0 {
			t.Errorf("left behind: %+v", u)
		}
	}
}

// occupy takes the one slot until release is called.
func occupy(t *testing.T, a *admission, hook *hookStats) (release func()) {
	begun, end := make(chan struct{}), make(chan struct{})
	j := newJob(func(*ticket) { close(begun); <-end })
	j.hook = hook
	ended := make(chan struct{})
	go func() { _ = a.do(context.Background(), &j.ticket, 1); close(ended) }()
	within(t, "the beginning of a call", func() { <-begun })
	return func() { close(end); <-ended }
}

func waitFor(t *testing.T, a *admission, n int) {
	t.Helper()
	within(t, "waiting", func() {
		for a.usage().Waiting != n {
			time.Sleep(100 * time.Microsecond)
		}
	})
}

func TestWaitingCallsRunInTheOrderTheyCame(t *testing.T) {
	a := newAdmission(1, 100)
	a.watching = true // nobody looks for stuck calls
	release := occupy(t, a, &hookStats{})
	var order []int
	var group sync.WaitGroup
	for i := range 10 {
		group.Add(1)
		go func() {
			defer group.Done()
			_ = a.do(context.Background(), &newJob(func(*ticket) { order = append(order, i) }).ticket, 1)
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
	a := newAdmission(1, 100)
	a.watching = true
	release := occupy(t, a, &hookStats{})
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error)
	for range 3 {
		go func() { result <- a.do(ctx, &newJob(func(*ticket) { t.Error("it ran") }).ticket, 1) }()
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
	within(t, "the next call", func() { _ = a.do(context.Background(), &newJob(func(*ticket) { ran = true }).ticket, 1) })
	if !ran {
		t.Error("the slot is lost")
	}
}

func TestAStuckCallLosesItsSlotAndItsHookRunsWithoutOneFromThenOn(t *testing.T) {
	a := newAdmission(1, 100)
	var sleeps hookStats
	release := occupy(t, a, &sleeps)
	within(t, "a call while another is stuck", func() {
		_ = a.do(context.Background(), &newJob(func(*ticket) {}).ticket, 1)
	})
	if !sleeps.blocks.Load() {
		t.Error("the hook is not known to block")
	}
	again := occupy(t, a, &sleeps)
	if u := a.usage(); u.Running != 0 || u.Unslotted != 2 {
		t.Errorf("two calls without a slot are %+v", u)
	}
	release()
	again()
	quick := newJob(func(*ticket) {})
	quick.hook = &sleeps
	for tries := 0; sleeps.blocks.Load(); tries++ { // a noisy machine may delay it
		if tries == 1000 {
			t.Fatal("a hook that is quick again stays without a slot")
		}
		_ = a.do(context.Background(), &quick.ticket, 1)
	}
}

func TestACallGivesItsSlotAwayWhileItWaitsForTheHost(t *testing.T) {
	a := newAdmission(1, 100)
	a.watching = true
	within(t, "a call while another is outside", func() {
		_ = a.do(context.Background(), &newJob(func(called *ticket) {
			a.enterCallback(called, 1)
			_ = a.do(context.Background(), &newJob(func(*ticket) {}).ticket, 1)
			a.leaveCallback(called, 1)
		}).ticket, 1)
	})
	if u := a.usage(); u.Running != 0 || u.Unslotted != 0 {
		t.Errorf("left behind: %+v", u)
	}
}

func TestNoMoreCallsAreInsidePythonThanAllowed(t *testing.T) {
	a := newAdmission(1, 3)
	async := &hookStats{async: true}
	async.blocks.Store(true)
	var releases []func()
	for range 3 {
		releases = append(releases, occupy(t, a, async))
	}
	var group sync.WaitGroup
	for _, hook := range []*hookStats{async, {}} {
		group.Add(1)
		go func() {
			defer group.Done()
			j := newJob(func(*ticket) {})
			j.hook = hook
			_ = a.do(context.Background(), &j.ticket, 1)
		}()
	}
	waitFor(t, a, 2)
	for _, release := range releases {
		release()
	}
	within(t, "the end of all calls", group.Wait)
	if u := a.usage(); u.Unslotted != 0 || u.Waited == 0 {
		t.Errorf("left behind: %+v", u)
	}
}

func TestTheNextCallDoesNotDelayOneThatHasEnded(t *testing.T) {
	a := newAdmission(1, 200)
	release := occupy(t, a, &hookStats{})
	end := make(chan struct{})
	ended := make(chan int, 100)
	start := func(i int, f func(*ticket)) {
		j := newJob(f)
		go func() { _ = a.do(context.Background(), &j.ticket, 1); ended <- i }()
	}
	a.mu.Lock()
	a.watching = true // nobody looks for stuck calls while they queue
	a.mu.Unlock()
	start(0, func(*ticket) {})
	waitFor(t, a, 1)
	start(1, func(*ticket) { <-end })
	waitFor(t, a, 2)
	for i := 2; i < 70; i++ {
		start(i, func(*ticket) {})
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
