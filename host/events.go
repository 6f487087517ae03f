package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

const (
	eventWorkers = 32 // handlers that may run at once
	eventQueue   = 4096

	eventOverhead = 256 // minimal size of an event without its meta, in bytes
)

// events delivers events to their handlers without delaying requests. All events that are
// queued or being handled take at most maxBytes, one event at most maxEventBytes.
type events struct {
	maxEventBytes, maxBytes int64

	queue    chan event
	stopped  chan struct{} // closed to stop after the queued events
	late     atomic.Int64  // events since then
	ended    atomic.Bool   // no worker handles events any more
	workers  sync.WaitGroup
	bytes    atomic.Int64 // of events queued or being handled
	dropped  atomic.Int64 // total
	dropTold atomic.Int64 // when dropped events were last logged, in Unix nanoseconds
	log      *slog.Logger

	// ctx ends when handlers that wait for the interpreter are abandoned.
	ctx    context.Context
	cancel context.CancelFunc

	mu      sync.Mutex
	running map[string]int // handlers, by name

	handlers registry.Events
	dispatch func(ctx context.Context, event []byte) error
}

// event is one event for one handler.
type event struct {
	handler string
	data    []byte // JSON, as driver.DispatchEvent expects it
}

func newEvents(log *slog.Logger, maxEventBytes, maxBytes int64) *events {
	e := &events{
		maxEventBytes: maxEventBytes, maxBytes: maxBytes,
		queue: make(chan event, eventQueue), stopped: make(chan struct{}), log: log,
		running: map[string]int{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e
}

// start starts the workers; dispatch calls a handler in Python.
func (e *events) start(dispatch func(ctx context.Context, event []byte) error) {
	e.dispatch = dispatch
	for range eventWorkers {
		e.workers.Add(1)
		go func() {
			defer e.workers.Done()
			for {
				select {
				case event := <-e.queue:
					e.serve(event)
				case <-e.stopped:
					select {
					case event := <-e.queue:
						e.serve(event)
					default:
						return
					}
				}
			}
		}()
	}
}

// serve calls the handler of one event.
func (e *events) serve(event event) {
	defer e.bytes.Add(-int64(len(event.data)))
	defer recovered(e.log, "an event handler's call")
	e.count(event.handler, 1)
	defer e.count(event.handler, -1)
	if err := e.dispatch(e.ctx, event.data); err != nil {
		e.log.Error("event handler failed", "error", err, detail(err))
	}
}

func (e *events) count(handler string, by int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[handler] += by; e.running[handler] == 0 {
		delete(e.running, handler)
	}
}

// stop handles queued events until ctx ends. Its error names the handlers that have not
// ended. Later events are not handled.
func (e *events) stop(ctx context.Context) error {
	close(e.stopped)
	defer e.ended.Store(true)
	ended := make(chan struct{})
	go func() { e.workers.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	e.cancel()
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Errorf("event handlers %v did not end; %d events are queued", e.running, len(e.queue))
}

// configure sets the handlers of all APIs.
func (e *events) configure(definitions []*Definition, everywhere EventHandlers) {
	all := map[string]registry.APIEvents{"": {Functions: e.names("the settings", everywhere)}}
	for _, d := range definitions {
		all[d.APIID] = registry.APIEvents{OrgID: d.OrgID, Functions: e.names(d.file, everywhere, d.EventHandlers)}
	}
	e.handlers.Configure(all)
}

// names collects the functions of each event, each once.
func (e *events) names(where string, sections ...EventHandlers) map[string][]string {
	names := map[string][]string{}
	for _, section := range sections {
		for event, handlers := range section.Events {
			for _, h := range handlers {
				if h.Name != registry.EventHandler {
					e.log.Warn("event handler ignored: unknown handler_name", "in", where, "event", event, "handler_name", h.Name, "supported", registry.EventHandler)
					continue
				}
				names[event] = append(names[event], h.Meta.Name)
			}
		}
	}
	return names
}

// fire queues an event of an API for each of its handlers.
func (e *events) fire(apiID, name string, meta map[string]any) {
	e.fireFunc(apiID, name, 0, func() map[string]any { return meta })
}

// fireFunc is like fire, but calls meta, whose result has about size bytes, only if there
// is a handler and room for the event.
func (e *events) fireFunc(apiID, name string, size int, meta func() map[string]any) {
	handlers, orgID := e.handlers.Of(apiID, name)
	if len(handlers) == 0 {
		return
	}
	if !e.accepts() {
		e.drop(len(handlers))
		return
	}
	needed := min(int64(size), e.maxEventBytes) + eventOverhead
	if e.bytes.Load()+needed > e.maxBytes || len(e.queue) == cap(e.queue) {
		e.drop(len(handlers))
		return
	}
	message, err := json.Marshal(map[string]any{
		"Type": name, "Meta": meta(), "TimeStamp": time.Now().Local().String(),
	})
	if err != nil {
		e.log.Error("event not encoded", "event", name, "error", err)
		return
	}
	for _, handler := range handlers {
		data, err := registry.Event(json.RawMessage(message), handler, apiID, orgID)
		if err == nil {
			e.put(event{handler, data})
		}
	}
}

// accepts reports whether events are still handled. During a stop, handlers may fire
// further events, but not for ever: a handler may fire its own event.
func (e *events) accepts() bool {
	select {
	case <-e.stopped:
		return !e.ended.Load() && e.late.Add(1) <= eventQueue
	default:
		return true
	}
}

// put queues an event, or drops it if the queue is full.
func (e *events) put(event event) {
	size := int64(len(event.data))
	if e.bytes.Add(size) > e.maxBytes {
		e.bytes.Add(-size)
		e.drop(1)
		return
	}
	select {
	case e.queue <- event:
	default:
		e.bytes.Add(-size)
		e.drop(1)
	}
}

// dropLogInterval is the least time between two records of dropped events. At the limit
// every other event may be dropped, and clients can make them.
const dropLogInterval = 10 * time.Second

// drop counts dropped events, and logs them now and then.
func (e *events) drop(n int) {
	total := e.dropped.Add(int64(n))
	now, told := time.Now().UnixNano(), e.dropTold.Load()
	if now-told >= int64(dropLogInterval) && e.dropTold.CompareAndSwap(told, now) {
		reason := "handlers are too slow"
		if e.ended.Load() {
			reason = "the gateway is stopping"
		}
		e.log.Error("events dropped: "+reason, "dropped_in_all", total,
			"queued", len(e.queue), "bytes", e.bytes.Load(), "max_events_bytes", e.maxBytes)
	}
}
