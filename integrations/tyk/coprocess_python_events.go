//go:build cgo && coprocess && python

package gateway

import (
	"context"
	"sync/atomic"
)

// minEventBytes is the minimum that an event counts: the memory of its goroutine.
const minEventBytes = 4 << 10

// eventBudget bounds the bytes of the events whose handlers have not ended. Tyk starts a
// goroutine for each event, and an event may contain a whole request.
type eventBudget struct {
	limit int64
	used  atomic.Int64
	lost  atomic.Bool // dropping events has been logged
}

// take reserves n bytes. It returns false if they are not available.
func (b *eventBudget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	if !b.lost.Swap(true) {
		pythonLog.Errorf("events dropped: queued events have reached coprocess_options.max_events_bytes (%d)", b.limit)
	}
	return false
}

func (b *eventBudget) give(n int64) {
	if b.used.Add(-n) < b.limit/2 && b.lost.Swap(false) {
		pythonLog.Warn("events are accepted again")
	}
}

// DispatchEvent calls an event handler and waits for its end. Tyk calls it on a goroutine
// for each event.
func (d *PythonDispatcher) DispatchEvent(event []byte) {
	rt, err := d.started()
	if err != nil {
		logPythonError(err)
		return
	}
	size := max(int64(len(event)), minEventBytes)
	if !d.events.take(size) {
		return
	}
	defer d.events.give(size)
	if err := rt.DispatchEvent(context.Background(), event); err != nil {
		logPythonError(err)
	}
}
