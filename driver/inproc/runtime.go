//go:build coprocess && python

package inproc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/admit"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/interpreter"
)

// Runtime is the running interpreter with the loaded plugin code: a driver.Backend. A
// process has at most one, and it is never shut down.
type Runtime struct {
	interpreter *interpreter.Interpreter
	host        driver.Host
	admission   *admit.Admission
	calls       inflightCalls
	limits      driver.Limits

	importTimeout time.Duration
	control       controlCalls
}

// started is the runtime of this process, for callbacks from C.
var started atomic.Pointer[Runtime]

// starts is locked by Start. failed is set when a start failed after libpython was
// loaded: libraries cannot be unloaded, so another attempt is pointless.
var starts struct {
	sync.Mutex
	failed error
}

// Start starts the interpreter. Only one start in a process can succeed. A start that
// failed before libpython was loaded may be tried again.
func Start(o driver.Options) (*Runtime, error) {
	starts.Lock()
	defer starts.Unlock()
	if started.Load() != nil {
		return nil, errors.New("python is already running in this process")
	}
	if starts.failed != nil {
		return nil, fmt.Errorf("restart the process to start Python again; the first start failed: %w", starts.failed)
	}
	rt, err := start(o)
	if err != nil && pythonLoaded() {
		starts.failed = err
	}
	return rt, err
}

func start(o driver.Options) (*Runtime, error) {
	o = o.OrDefault()
	python := o.Interpreter
	if python == "" {
		var err error
		if python, err = interpreter.Find(o.PythonVersion); err != nil {
			return nil, err
		}
	}
	found, err := interpreter.Query(python)
	if err != nil {
		return nil, err
	}
	if err := check(found, python); err != nil {
		return nil, err
	}
	if err := openLibrary(found.Libpython, found.Library); err != nil {
		return nil, err
	}
	rt := &Runtime{
		interpreter: found, host: o.Host, admission: admit.New(o.Running, o.MaxCalls),
		limits: o.Limits, importTimeout: o.ImportTimeout,
	}
	rt.calls.rt, rt.calls.maxKept = rt, int64(rt.limits.KeptBuffers)
	started.Store(rt) // before Python runs, which may log
	if err := onPermanentThread(func() error { return startPython(found.Executable, rt.limits, o.LogLevel) }); err != nil {
		started.Store(nil)
		return nil, err
	}
	return rt, nil
}

// check refuses an interpreter whose package does not fit this driver, before anything of
// it is loaded into the process.
func check(i *interpreter.Interpreter, python string) error {
	switch {
	case i.Libpython == "":
		return fmt.Errorf("%s has no shared libpython: use a Python built with --enable-shared (Debian: apt-get install libpython3-dev)", python)
	case i.Library == "":
		return fmt.Errorf("the tyk_cffi package in %s has no library for Python %s: reinstall it with that Python (`%s -m pip install --force-reinstall`, and the wheel or the path of a checkout)", python, i.Python, python)
	case i.ABI != headerABI:
		return fmt.Errorf("the tyk_cffi package %s in %s has ABI version %d, and this gateway requires %d: install the package that belongs to this gateway", i.Version, python, i.ABI, headerABI)
	}
	return nil
}

// onPermanentThread runs f on a thread that lives as long as the process: the thread
// that starts Python is Python's main thread.
func onPermanentThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- recovering(f)
		select {}
	}()
	return <-done
}

// Describe implements driver.Backend.
func (rt *Runtime) Describe() string {
	i := rt.interpreter
	return fmt.Sprintf("Python %s (%s), tyk_cffi %s, protobuf %s", i.Python, i.Executable, i.Version, i.Protobuf)
}

// Load implements driver.Backend.
func (rt *Runtime) Load(s driver.Source) (driver.Loaded, error) {
	type hook struct {
		Type driver.HookType `json:"type"`
		Name string          `json:"name"`
	}
	keep := make([]hook, len(s.Keep))
	for i, name := range s.Keep {
		keep[i] = hook(name)
	}
	var loaded driver.Loaded
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return loaded, err
	}
	err = rt.request(loading+path, callLoad, map[string]any{
		"key": s.Key, "path": path, "entry": s.Entry, "keep": keep,
	}, &loaded)
	return loaded, err
}

// Bind implements driver.Backend.
func (rt *Runtime) Bind(handle uint64, b driver.Binding) (driver.Hook, error) {
	var bound struct {
		Blocks bool `json:"blocks"`
	}
	err := rt.request(needsGIL, callBind, map[string]any{
		"handle": handle, "source": b.Source, "type": b.Type, "name": b.Name,
		"spec": b.Spec, "raw_body_only": b.RawBodyOnly,
	}, &bound)
	if err != nil {
		return nil, err
	}
	h := &hook{rt: rt, handle: handle, binding: b}
	if bound.Blocks {
		h.stats.SetAsync()
		h.stats.readsBody.Store(true) // reading one would block the event loop
	}
	return h, nil
}

// DispatchEvent implements driver.Backend.
func (rt *Runtime) DispatchEvent(ctx context.Context, event []byte) error {
	c := rt.calls.get()
	defer rt.calls.put(c)
	c.event = event
	if err := c.do(ctx, &eventStats); err != nil {
		return err
	}
	return c.err
}

// eventStats is shared by all event handlers: if one blocks, they run without a slot.
var eventStats hookStats

// Usage implements driver.Backend.
func (rt *Runtime) Usage() driver.Usage {
	usage := rt.admission.Usage()
	usage.KeptBytes = rt.calls.keptBytes()
	return usage
}

// Stats returns the counters of the Python runtime, as JSON.
func (rt *Runtime) Stats() (json.RawMessage, error) {
	return rt.control.do(needsGIL, rt.importTimeout, func() ([]byte, error) {
		return callStats()
	})
}

// SetLogLevel changes the lowest level that the host logs (Options.LogLevel).
func (rt *Runtime) SetLogLevel(level string) error {
	_, err := rt.control.do(needsGIL, rt.importTimeout, func() ([]byte, error) {
		setLevel(level)
		return nil, nil
	})
	return err
}

// Stop runs the plugins' exit functions and flushes their output, for at most limit. It
// does not shut down Python: threads of plugins may run until the process ends.
func (rt *Runtime) Stop(limit time.Duration) error {
	_, err := rt.control.do("stopping Python", limit, func() ([]byte, error) {
		return nil, stopPlugins(limit)
	})
	return err
}

// request calls a function of the library with JSON and decodes its result into out. what
// names the call in errors.
func (rt *Runtime) request(what string, function func([]byte) ([]byte, error), request, out any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := rt.control.do(what, rt.importTimeout, func() ([]byte, error) {
		return function(data)
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
