package host

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// newTestEvents serves event E of API "a" with handler "h".
func newTestEvents(t *testing.T, most int64, dispatch func(context.Context, []byte) error) *events {
	e := newEvents(slog.New(slog.DiscardHandler), most, most)
	var handlers EventHandlers
	err := json.Unmarshal([]byte(`{"events": {"E": [{"handler_name": "cp_dynamic_handler", "handler_meta": {"name": "h"}}]}}`), &handlers)
	if err != nil {
		t.Fatal(err)
	}
	e.configure([]*Definition{{APIID: "a", EventHandlers: handlers}}, EventHandlers{})
	e.start(dispatch)
	return e
}

func TestEventsTakeNoMoreMemoryThanTheyMay(t *testing.T) {
	const most = 100_000
	end := make(chan struct{})
	var served atomic.Int64
	e := newTestEvents(t, most, func(context.Context, []byte) error { <-end; served.Add(1); return nil })
	made := 0
	for range 1000 {
		e.fireFunc("a", "E", 1000, func() map[string]any {
			made++
			return map[string]any{"Message": strings.Repeat("x", 1000)}
		})
		if bytes := e.bytes.Load(); bytes > most {
			t.Fatal(bytes, "bytes")
		}
	}
	if made > 110 || e.dropped.Load() < 890 {
		t.Errorf("%d events were made, %d are lost", made, e.dropped.Load())
	}
	e.fire("a", "nobody listens", nil)
	close(end)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.stop(ctx); err != nil {
		t.Error(err)
	}
	if e.bytes.Load() != 0 || served.Load()+e.dropped.Load() != 1000 {
		t.Errorf("%d bytes are lost; %d served, %d lost", e.bytes.Load(), served.Load(), e.dropped.Load())
	}
}

func TestHandlersThatDoNotEndAreNamedAtTheStop(t *testing.T) {
	end, begun := make(chan struct{}), make(chan struct{})
	defer close(end)
	var given atomic.Bool
	e := newTestEvents(t, 1<<20, func(ctx context.Context, _ []byte) error {
		close(begun)
		<-ctx.Done()
		given.Store(true)
		<-end
		return nil
	})
	e.fire("a", "E", nil)
	<-begun
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := e.stop(ctx); err == nil || !strings.Contains(err.Error(), "h:1") {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !given.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a handler that waits for the interpreter is not given up")
		}
	}
}

func TestAFaultInADispatchEndsNoWorker(t *testing.T) {
	var calls atomic.Int64
	e := newTestEvents(t, 1<<20, func(context.Context, []byte) error {
		calls.Add(1)
		panic("on purpose")
	})
	for range 2 * eventWorkers {
		e.fire("a", "E", nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.stop(ctx); err != nil || calls.Load() != 2*eventWorkers || e.bytes.Load() != 0 {
		t.Error(err, calls.Load(), e.bytes.Load())
	}
}

func TestDroppedEventsAreLoggedNowAndThen(t *testing.T) {
	var log bytes.Buffer
	e := newEvents(slog.New(slog.NewTextHandler(&log, nil)), 1000, 1000)
	for range 100 { // what arrives at a full queue while handlers free a place now and then
		e.drop(1)
		e.put(event{"h", []byte("x")})
	}
	if n := strings.Count(log.String(), "events dropped"); n != 1 {
		t.Errorf("%d records of 100 dropped events", n)
	}
}

func TestAHandlerThatFiresItsOwnEventDoesNotHoldUpTheEnd(t *testing.T) {
	var e *events
	ready := make(chan struct{})
	handled := make(chan struct{}, 1)
	e = newTestEvents(t, 1<<20, func(context.Context, []byte) error {
		<-ready
		e.fire("a", "E", nil)
		e.fire("a", "E", nil)
		select {
		case handled <- struct{}{}:
		default:
		}
		return nil
	})
	close(ready)
	e.fire("a", "E", nil)
	<-handled
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := e.stop(ctx); err != nil {
		t.Error(err)
	}
	dropped := e.dropped.Load()
	if e.fire("a", "E", nil); e.dropped.Load() != dropped+1 {
		t.Error("an event after the end was kept")
	}
}
