package host

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// errBusy is returned for a body for which no memory is available, because other bodies
// have reserved all of it.
var errBusy = errors.New("the bodies in memory have reached coprocess_options.max_bodies_bytes")

// budgetTimeout is how long a request waits for memory.
const budgetTimeout = 10 * time.Second

// budget bounds the bytes that the bodies of all requests hold in memory.
//
// A body reserves memory as it is received, not when it is announced, so that idle clients
// reserve none. To prevent incomplete bodies from waiting for each other for ever, the
// memory that the oldest of them may still need is kept free for it.
type budget struct {
	total   int64
	refused atomic.Int64

	mu      sync.Mutex
	used    int64
	shares  []*reservation // those that hold memory, oldest first
	waiting []*claim       // oldest first
}

// reservation is the memory of one body.
type reservation struct {
	budget *budget
	held   int64
	need   int64 // maximum
	closed bool
}

// claim is a reservation that waits for n more bytes.
type claim struct {
	share   *reservation
	n       int64
	granted chan struct{} // closed when granted
}

func newBudget(total int64) *budget { return &budget{total: total} }

// reserve returns an empty reservation that will need at most need bytes.
func (b *budget) reserve(need int64) *reservation { return &reservation{budget: b, need: need} }

// inUse returns the bytes that are reserved.
func (b *budget) inUse() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.used
}

// acquire adds n bytes to the reservation. It waits until they are free, and returns
// errBusy after budgetTimeout, or ctx's error if that ends first.
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
		return nil // it has just been granted
	}
	b.waiting = slices.Delete(b.waiting, i, i+1)
	b.refused.Add(1)
	return err
}

// tryAcquire is acquire without waiting.
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

// size returns the bytes that the reservation holds.
func (s *reservation) size() int64 {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return s.held
}

// shrink reduces the reservation to at most n bytes, and its maximum to what it holds.
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

// close frees the reservation. It cannot be used again.
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

// fits reports whether s may acquire n more bytes. mu must be held.
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

// grant grants the claims that fit now. mu must be held.
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
