package host

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errBusy is why a body was not read: those of other requests hold all memory that
// bodies may take.
var errBusy = errors.New("the bodies in memory have reached coprocess_options.max_bodies_bytes")

// budgetTimeout is how long a request waits for others to give back memory.
const budgetTimeout = 10 * time.Second

// budget bounds the bytes that the bodies of all requests hold in memory.
//
// A body takes them while it arrives, not when it is announced, so that idle clients
// hold none. Bodies that are half there could wait for each other for ever; so what the
// oldest of them may still need is kept free for it.
type budget struct {
	total   int64
	refused atomic.Int64

	mu      sync.Mutex
	used    int64
	shares  []*reservation // that began to take, oldest first
	waiting []*claim       // oldest first
}

// share is what one body holds of a budget.
type reservation struct {
	budget *budget
	held   int64
	need   int64 // at most, in the end
	closed bool
}

// claim is a share's wish for more.
type claim struct {
	share   *reservation
	n       int64
	granted chan struct{} // closed when it is
}

func newBudget(total int64) *budget { return &budget{total: total} }

// share returns a share of nothing, which will need no more than need.
func (b *budget) reserve(need int64) *reservation { return &reservation{budget: b, need: need} }

// inUse is what all shares hold.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// take adds n bytes to the share. Where they are not free it waits: until others give
// theirs back, or ctx ends, or budgetTimeout has passed; then it is errBusy.
func (s *reservation) acquire(ctx context.Context, n int64) error {
	b := s.budget
	b.mu.Lock()
	if s.closed || n > b.total {
		b.mu.Unlock()
		b.refused.Add(1)
		return errBusy
	}
	s.need = max(s.need, s.held+n)
	if !slices.Contains(b.shares, s) {
		b.shares = append(b.shares, s)
	}
	if b.fits(s, n) {
		b.used += n
		s.held += n
		b.mu.Unlock()
		return nil
	}
	c := &claim{share: s, n: n, granted: make(chan struct{})}
	b.waiting = append(b.waiting, c)
	b.mu.Unlock()

	timer := time.NewTimer(budgetTimeout)
	defer timer.Stop()
	err := errBusy
	select {
	case <-c.granted:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.waiting, c)
	if i < 0 {
		return nil // granted at this very moment
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.refused.Add(1)
	return err
}

// tryTake is take without waiting.
func (s *reservation) tryAcquire(n int64) bool {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.need = max(s.need, s.held+n)
	if s.closed || !b.fits(s, n) {
		b.refused.Add(1)
		return false
	}
	if !slices.Contains(b.shares, s) {
		b.shares = append(b.shares, s)
	}
	b.used += n
	s.held += n
	return true
}

// holds is what the share holds.
func (s *reservation) size() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.held
}

// settle says that the share needs no more than n bytes from now on, and gives the
// others back.
func (s *reservation) shrink(n int64) {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if n < s.held {
		b.used -= s.held - n
		s.held = n
	}
	s.need = s.held
	b.grant()
}

// close gives everything back, for good.
func (s *reservation) close() {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	s.closed = true
	b.used -= s.held
	s.held, s.need = 0, 0
	if i := slices.Index(b.shares, s); i >= 0 {
		b.shares = slices.Delete(b.shares, i, i+1)
	}
	b.grant()
}

// fits tells whether s may take n more. mu is held.
func (b *budget) fits(s *reservation, n int64) bool {
	free := b.total - b.used
	if n > free {
		return false
	}
	for _, oldest := range b.shares {
		if oldest == s {
			return true
		}
		if need := oldest.need - oldest.held; need > 0 {
			return n <= free-need
		}
	}
	return true
}

// grant gives those that wait what they may take now. mu is held.
func (b *budget) grant() {
	b.waiting = slices.DeleteFunc(b.waiting, func(c *claim) bool {
		if c.share.closed || !b.fits(c.share, c.n) {
			return false
		}
		b.used += c.n
		c.share.held += c.n
		close(c.granted)
		return true
	})
}
