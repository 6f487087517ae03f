// Package drivertest has a driver.Backend without Python, for tests of gateways.
package drivertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Func stands for a hook.
type Func func(ctx context.Context, call *driver.Call) (*driver.Reply, error)

// Answer returns a hook that ends the request with a response.
func Answer(code int, body string) Func {
	return func(context.Context, *driver.Call) (*driver.Reply, error) {
		return &driver.Reply{Overrides: driver.Overrides{ResponseCode: code, ResponseBody: body}}, nil
	}
}

// Pass is a hook that changes nothing.
func Pass(_ context.Context, call *driver.Call) (*driver.Reply, error) {
	reply := &driver.Reply{Overrides: driver.Overrides{ResponseCode: -1}}
	if call.Response != nil {
		reply.Response = &driver.ResponseReply{StatusCode: call.Response.StatusCode, Headers: call.Response.Headers}
	}
	return reply, nil
}

// Backend has the hooks of a map, whatever sources are loaded.
type Backend struct {
	// Hooks are the hooks by name. It must not change while the backend is used.
	Hooks map[string]Func
	// Event is called for each event; nil ignores them.
	Event func(ctx context.Context, event []byte) error
	// LoadFunc is called by Load; nil accepts every source.
	LoadFunc func(driver.Source) (driver.Loaded, error)

	mu      sync.Mutex
	loads   []driver.Source
	bound   map[uint64]driver.Binding
	handles map[uint64]bool // ever used
	level   string
	stopped bool
}

// Load implements driver.Backend.
func (b *Backend) Load(s driver.Source) (driver.Loaded, error) {
	b.mu.Lock()
	b.loads = append(b.loads, s)
	b.mu.Unlock()
	if b.LoadFunc != nil {
		return b.LoadFunc(s)
	}
	return driver.Loaded{}, nil
}

// Bind implements driver.Backend.
func (b *Backend) Bind(handle uint64, binding driver.Binding) (driver.Hook, error) {
	f, found := b.Hooks[binding.Name]
	if !found {
		return nil, driver.NewError(driver.ErrUnknown, fmt.Sprintf("there is no hook %q", binding.Name))
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.handles[handle] {
		return nil, fmt.Errorf("handle %d is used again", handle)
	}
	if b.handles == nil {
		b.handles, b.bound = map[uint64]bool{}, map[uint64]driver.Binding{}
	}
	b.handles[handle], b.bound[handle] = true, binding
	return &hook{backend: b, handle: handle, binding: binding, f: f}, nil
}

// DispatchEvent implements driver.Backend.
func (b *Backend) DispatchEvent(ctx context.Context, event []byte) error {
	if b.Event == nil {
		return nil
	}
	return b.Event(ctx, event)
}

// Usage implements driver.Backend.
func (b *Backend) Usage() driver.Usage { return driver.Usage{} }

// Stats implements driver.Backend.
func (b *Backend) Stats() (json.RawMessage, error) { return json.RawMessage("{}"), nil }

// SetLogLevel implements driver.Backend.
func (b *Backend) SetLogLevel(level string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.level = level
	return nil
}

// Describe implements driver.Backend.
func (b *Backend) Describe() string { return "no Python" }

// Stop implements driver.Backend.
func (b *Backend) Stop(time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stopped = true
	return nil
}

// Loads returns the sources that were loaded, in order.
func (b *Backend) Loads() []driver.Source {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]driver.Source{}, b.loads...)
}

// Bound returns the bindings of the hooks that are not closed.
func (b *Backend) Bound() (list []driver.Binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, binding := range b.bound {
		list = append(list, binding)
	}
	return list
}

// LogLevel returns the level that was set last.
func (b *Backend) LogLevel() string { b.mu.Lock(); defer b.mu.Unlock(); return b.level }

// Stopped returns whether Stop was called.
func (b *Backend) Stopped() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.stopped }

type hook struct {
	backend *Backend
	handle  uint64
	binding driver.Binding
	f       Func
	closed  atomic.Bool
}

// ErrClosed is what a hook returns that is called after Close.
var ErrClosed = errors.New("the hook is closed")

func (h *hook) Dispatch(ctx context.Context, call *driver.Call) (*driver.Reply, error) {
	if h.closed.Load() {
		return nil, ErrClosed
	}
	return h.f(ctx, call)
}

func (h *hook) ReadsBody() bool { return false }

func (h *hook) Close() {
	h.closed.Store(true)
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	delete(h.backend.bound, h.handle)
}

func (h *hook) String() string {
	return fmt.Sprintf("hook %q (%s) of API %q", h.binding.Name, h.binding.Type, h.binding.Spec["APIID"])
}
