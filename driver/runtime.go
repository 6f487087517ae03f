//go:build coprocess && python

package driver

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
)

// Options configures Start.
type Options struct {
	// Interpreter is the path of a python; empty to use FindInterpreter.
	Interpreter string
	// PythonVersion is coprocess_options.python_version, for example "3.12".
	PythonVersion string
	// Host provides the gateway's services.
	Host Host
	// Running is how many calls use the interpreter at once; 0 for the default.
	Running int
	// MaxCalls is how many calls may be inside Python at once, blocked ones included
	// (each occupies a thread); 0 for the default.
	MaxCalls int
	// Limits bounds the data passed between the gateway and Python.
	Limits Limits
	// LogLevel is the lowest level that Host logs: "debug", "info", "warning" or
	// "error". Python creates no records below it. Empty means "debug".
	LogLevel string
	// ImportTimeout bounds Load, Bind and similar calls; 0 for DefaultImportTimeout.
	ImportTimeout time.Duration
}

const (
	defaultRunning  = 1
	defaultMaxCalls = 512
)

// Runtime is the running interpreter with the loaded plugin code. A process has at most
// one, and it is never shut down.
type Runtime struct {
	interpreter *Interpreter
	library     *library
	host        Host
	admission   *admission
	calls       inflightCalls
	limits      Limits

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
func Start(o Options) (*Runtime, error) {
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

func start(o Options) (*Runtime, error) {
	python := o.Interpreter
	if python == "" {
		var err error
		if python, err = FindInterpreter(o.PythonVersion); err != nil {
			return nil, err
		}
	}
	interpreter, err := queryInterpreter(python)
	if err != nil {
		return nil, err
	}
	lib, err := openLibrary(interpreter.Libpython, interpreter.Library)
	if err != nil {
		return nil, err
	}
	rt := &Runtime{
		interpreter: interpreter, library: lib, host: o.Host,
		admission: newAdmission(positiveOr(o.Running, defaultRunning), positiveOr(o.MaxCalls, defaultMaxCalls)),
		limits:    o.Limits.orDefault(), importTimeout: positiveOr(o.ImportTimeout, DefaultImportTimeout),
	}
	rt.calls.rt, rt.calls.maxKept = rt, int64(rt.limits.KeptBuffers)
	started.Store(rt) // before Python runs, which may log
	if err := onPermanentThread(func() error { return lib.startPython(interpreter.Executable, rt.limits, o.LogLevel) }); err != nil {
		started.Store(nil)
		return nil, err
	}
	return rt, nil
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

// Describe returns one line for the log with the versions and the path of Python.
func (rt *Runtime) Describe() string {
	i := rt.interpreter
	return fmt.Sprintf("Python %s (%s), tyk_cffi %s, protobuf %s", i.Python, i.Executable, i.Version, i.Protobuf)
}

// Load loads or reloads the code of a source. If the new version loads, it replaces the
// old one for all hooks of the source at once. Otherwise the old version stays in use,
// and the error is an ErrLoadFailed. Running calls finish on the version that they began
// with.
func (rt *Runtime) Load(s Source) (Loaded, error) {
	type hook struct {
		Type HookType `json:"type"`
		Name string   `json:"name"`
	}
	keep := make([]hook, len(s.Keep))
	for i, name := range s.Keep {
		keep[i] = hook(name)
	}
	var loaded Loaded
	path, err := filepath.Abs(s.Path)
	if err != nil {
		return loaded, err
	}
	err = rt.request(loading+path, rt.library.load, map[string]any{
		"key": s.Key, "path": path, "entry": s.Entry, "keep": keep,
	}, &loaded)
	return loaded, err
}

// Bind finds a hook. If there is no such hook, the error is an ErrUnknown and names the
// closest match.
func (rt *Runtime) Bind(b Binding) (*Hook, error) {
	var bound struct {
		Handle uint64 `json:"handle"`
		Blocks bool   `json:"blocks"`
	}
	err := rt.request(needsGIL, rt.library.bind, map[string]any{
		"source": b.Source, "type": b.Type, "name": b.Name,
		"spec": b.Spec, "raw_body_only": b.RawBodyOnly,
	}, &bound)
	if err != nil {
		return nil, err
	}
	hook := &Hook{rt: rt, handle: bound.Handle, binding: b}
	hook.stats.async = bound.Blocks
	hook.stats.blocks.Store(bound.Blocks)
	hook.stats.readsBody.Store(bound.Blocks) // reading one would block the event loop
	return hook, nil
}

// DispatchEvent calls an event handler and waits for its end. event is JSON (contract
// 7). The call is subject to admission, as hooks are.
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

// Usage returns the current usage of the interpreter.
func (rt *Runtime) Usage() Usage {
	usage := rt.admission.usage()
	usage.KeptBytes = rt.calls.keptBytes()
	return usage
}

// Stats returns the counters of the Python runtime, as JSON.
func (rt *Runtime) Stats() (json.RawMessage, error) {
	return rt.control.do(needsGIL, rt.importTimeout, func() ([]byte, error) {
		return rt.library.callPlain(rt.library.stats)
	})
}

// SetLogLevel changes the lowest level that the host logs (Options.LogLevel).
func (rt *Runtime) SetLogLevel(level string) error {
	_, err := rt.control.do(needsGIL, rt.importTimeout, func() ([]byte, error) {
		rt.library.setLevel(level)
		return nil, nil
	})
	return err
}

// Stop runs the plugins' exit functions and flushes their output, for at most limit. It
// does not shut down Python: threads of plugins may run until the process ends.
func (rt *Runtime) Stop(limit time.Duration) error {
	_, err := rt.control.do("stopping Python", limit, func() ([]byte, error) {
		return nil, rt.library.stopPlugins(limit)
	})
	return err
}

// request calls a function of the library with JSON and decodes its result into out. what
// names the call in errors.
func (rt *Runtime) request(what string, function symbol, request, out any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := rt.control.do(what, rt.importTimeout, func() ([]byte, error) {
		return rt.library.callJSON(function, 0, data)
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
