//go:build cgo && coprocess && python

package gateway

import (
	"context"
	"sync/atomic"
)

const (
	// maxEventBytes bounds the events whose handlers have not ended. Tyk gives each
	// event a goroutine, and an event may hold the request that caused it.
	maxEventBytes = 64 << 20
	// minEventBytes is what an event counts at least: its goroutine's memory.
	minEventBytes = 4 << 10
)

// eventBudget counts the bytes of events in flight.
type eventBudget struct {
	used atomic.Int64
	lost atomic.Bool // events are being dropped, and the log says so
}

// take reserves n bytes; false when the budget is used up.
func (b *eventBudget) take(n int64) bool {
	if b.used.Add(n) <= maxEventBytes {
		return true
	}
	b.used.Add(-n)
	if !b.lost.Swap(true) {
		pythonLog.Errorf("events are dropped: more than %d MiB of them wait for their handlers", maxEventBytes>>20)
	}
	return false
}

func (b *eventBudget) give(n int64) {
	if b.used.Add(-n) < maxEventBytes/2 && b.lost.Swap(false) {
		pythonLog.Warn("events are handled again")
	}
}

// DispatchEvent calls an event handler and waits for it; Tyk gives each event a
// goroutine.
func (d *PythonDispatcher) DispatchEvent(event []byte) {
	size := max(int64(len(event)), minEventBytes)
	if !d.events.take(size) {
		return
	}
	defer d.events.give(size)
	rt, err := d.started()
	if err == nil {
		err = rt.DispatchEvent(context.Background(), event)
	}
	if err != nil {
		logPythonError(err)
	}
}
