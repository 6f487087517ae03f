//go:build cgo && coprocess && python

package gateway

import (
	"context"
	"sync/atomic"
)

// minEventBytes is what an event counts at least: the memory of its goroutine.
const minEventBytes = 4 << 10

// eventBudget bounds the bytes of the events whose handlers have not ended. Tyk gives
// each event a goroutine, and an event may hold the request that caused it.
type eventBudget struct {
	limit int64
	used  atomic.Int64
	lost  atomic.Bool // events are being dropped, and the log says so
}

// take reserves n bytes; false when the budget is used up.
func (b *eventBudget) take(n int64) bool {
	if b.used.Add(n) <= b.limit {
		return true
	}
	b.used.Add(-n)
	if !b.lost.Swap(true) {
		pythonLog.Errorf("events are dropped: those that wait for their handlers have reached coprocess_options.max_events_bytes (%d)", b.limit)
	}
	return false
}

func (b *eventBudget) give(n int64) {
	if b.used.Add(-n) < b.limit/2 && b.lost.Swap(false) {
		pythonLog.Warn("events are handled again")
	}
}

// DispatchEvent calls an event handler and waits for it; Tyk gives each event a
// goroutine.
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
