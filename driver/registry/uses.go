package registry

import "sync/atomic"

// Uses counts who uses something, and ends it when the last has left.
type Uses struct {
	count atomic.Int64
	end   func()
}

// NewUses returns a count of one use, that of the owner. end is called by the Leave that
// makes it zero.
func NewUses(end func()) *Uses {
	u := &Uses{end: end}
	u.count.Store(1)
	return u
}

// Enter adds a use. It returns false if the end has come.
func (u *Uses) Enter() bool {
	for {
		n := u.count.Load()
		if n == 0 {
			return false
		}
		if u.count.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Leave ends a use.
func (u *Uses) Leave() {
	if u.count.Add(-1) == 0 {
		u.end()
	}
}
