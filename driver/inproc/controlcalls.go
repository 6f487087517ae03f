//go:build coprocess && python

package inproc

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// controlCalls runs the calls that load, bind and stop, each on its own goroutine and
// with a time limit: the import of a module may never end, and an extension may hold the
// GIL for ever. A call that exceeds its limit is remembered, so that the next one of its
// kind fails at once and does not block another thread.
type controlCalls struct {
	mu      sync.Mutex
	hanging map[string]time.Time // since when
}

// needsGIL names calls that only need the GIL. If one of them hangs, every call would.
const needsGIL = "a call that only needs the GIL"

// do runs f and waits for at most limit. what names the call in errors.
func (m *controlCalls) do(what string, limit time.Duration, f func() ([]byte, error)) ([]byte, error) {
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
		r.err = recovering(func() (err error) {
			r.answer, err = f()
			return err
		})
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.hanging, what)
		done <- r // buffered
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
	case r := <-done: // it has just ended
		return r.answer, r.err
	default:
	}
	if m.hanging == nil {
		m.hanging = map[string]time.Time{}
	}
	m.hanging[what] = begun
	return nil, fmt.Errorf("%s did not finish within %v: %w; it keeps running, and its result is ignored", what, limit, driver.ErrTimedOut)
}

// loading is the prefix of calls that load: Python loads one source at a time.
const loading = "loading "

// check returns an error if the same call still hangs, if what is a load and another load
// hangs, or if a call that only needs the GIL hangs.
func (m *controlCalls) check(what string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, since := range m.hanging {
		bothLoad := strings.HasPrefix(name, loading) && strings.HasPrefix(what, loading)
		if name == what || name == needsGIL || bothLoad {
			return fmt.Errorf("%s has been hanging since %s: %w; restart the gateway to end it", name, since.Format(time.RFC3339), driver.ErrTimedOut)
		}
	}
	return nil
}

// recovering runs f and converts a panic to an error.
func recovering(f func() error) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic in the driver: %v\n%s", fault, debug.Stack())
		}
	}()
	return f()
}
