package driver

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// managed are the calls that load, bind and stop. Each runs on a goroutine of its own,
// for which nobody waits beyond a limit: a module may import for ever, and an extension
// may keep the GIL for ever. What hangs is remembered, so that the next call of its kind
// says so at once and takes no further thread.
type managed struct {
	mu      sync.Mutex
	hanging map[string]time.Time // since when
}

// pythonAnswers is what hangs when a call does that needs only the GIL.
const pythonAnswers = "a call that needs only Python's GIL"

// do runs f within limit. what names it.
func (m *managed) do(what string, limit time.Duration, f func() ([]byte, error)) ([]byte, error) {
	if err := m.check(what); err != nil {
		return nil, err
	}
	type result struct {
		answer []byte
		err    error
	}
	begun := time.Now()
	done := make(chan result, 1)
	go func() {
		var r result
		r.err = protected(func() (err error) {
			r.answer, err = f()
			return err
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.hanging, what)
		done <- r // has room
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-timer.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case r := <-done: // at this very moment
		return r.answer, r.err
	default:
	}
	if m.hanging == nil {
		m.hanging = map[string]time.Time{}
	}
	m.hanging[what] = begun
	return nil, fmt.Errorf("%s has not ended in %v: %w; it goes on, and its outcome is ignored", what, limit, ErrTimedOut)
}

// loading is what calls that load begin with: Python loads one source at a time.
const loading = "loading "

// check refuses what still hangs, a load while another hangs, and everything while Python
// does not answer at all.
func (m *managed) check(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, since := range m.hanging {
		bothLoad := strings.HasPrefix(name, loading) && strings.HasPrefix(what, loading)
		if name == what || name == pythonAnswers || bothLoad {
			return fmt.Errorf("%s hangs since %s: %w; only a restart of the gateway ends it", name, since.Format(time.RFC3339), ErrTimedOut)
		}
	}
	return nil
}

// protected runs f; a panic of its becomes an error.
func protected(f func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("the driver failed: %v\n%s", fault, debug.Stack())
		}
	}()
	return f()
}
