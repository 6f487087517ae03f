package host

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	eventWorkers = 32 // handlers that may run, or wait, at once
	eventQueue   = 4096
	eventHandler = "cp_dynamic_handler"
)

// events carries events to their handlers beside the requests, never delaying one.
type events struct {
	queue   chan []byte
	workers sync.WaitGroup
	full    atomic.Bool // the queue is, and the log knows
	log     *slog.Logger

	// handlers of each API by its id; "" has those of the settings alone.
	handlers atomic.Pointer[map[string]apiEvents]
	dispatch func(ctx context.Context, event []byte) error
}

// apiEvents are the handlers of one API, those of the settings included.
type apiEvents struct {
	orgID    string
	handlers map[string][]string // event → names of functions
}

func newEvents(log *slog.Logger) *events {
	e := &events{queue: make(chan []byte, eventQueue), log: log}
	e.handlers.Store(&map[string]apiEvents{})
	return e
}

// start begins to serve; dispatch calls a handler in Python.
func (e *events) start(dispatch func(ctx context.Context, event []byte) error) {
	e.dispatch = dispatch
	for range eventWorkers {
		e.workers.Add(1)
		go func() {
			defer e.workers.Done()
			for event := <-e.queue; event != nil; event = <-e.queue {
				if err := e.dispatch(context.Background(), event); err != nil {
					e.log.Error("event handler failed", "error", err, detail(err))
				}
			}
		}()
	}
}

// stop serves what is queued, and ends; what comes later is not served.
func (e *events) stop() {
	for range eventWorkers {
		e.queue <- nil
	}
	e.workers.Wait()
}

// configure takes the handlers of all APIs.
func (e *events) configure(definitions []*Definition, everywhere EventHandlers) {
	all := map[string]apiEvents{"": {handlers: e.names("the settings", everywhere)}}
	for _, d := range definitions {
		all[d.APIID] = apiEvents{d.OrgID, e.names(d.file, everywhere, d.EventHandlers)}
	}
	e.handlers.Store(&all)
}

// names collects the functions of each event, each once.
func (e *events) names(where string, sections ...EventHandlers) map[string][]string {
	names := map[string][]string{}
	for _, section := range sections {
		for event, handlers := range section.Events {
			for _, h := range handlers {
				if h.Name != eventHandler {
					e.log.Warn("event handler of an unknown kind is left out", "in", where, "event", event, "handler_name", h.Name, "known", eventHandler)
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
	all := *e.handlers.Load()
	api, known := all[apiID]
	if !known {
		api = all[""]
	}
	if len(api.handlers[name]) == 0 {
		return
	}
	for _, handler := range api.handlers[name] {
		event, err := json.Marshal(map[string]any{
			"message": map[string]any{
				"Type": name, "Meta": meta, "TimeStamp": time.Now().Local().String(),
			},
			"handler_name": handler,
			"spec":         map[string]string{"APIID": apiID, "OrgID": api.orgID},
		})
		if err == nil {
			e.put(event)
		}
	}
}

func (e *events) put(event []byte) {
	select {
	case e.queue <- event:
		e.full.Store(false)
	default:
		if !e.full.Swap(true) {
			e.log.Error("events are lost: their handlers are slower than they come", "queue", eventQueue)
		}
	}
}
