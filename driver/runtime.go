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

// Options say how to start.
type Options struct {
	// Interpreter is the path of a python; empty for what FindInterpreter finds.
	Interpreter string
	// PythonVersion is coprocess_options.python_version, "3.12" for instance.
	PythonVersion string
	// Host serves plugin code.
	Host Host
	// Running is how many calls use the interpreter at once; 0 for the default.
	Running int
	// MaxCalls is how many calls may wait inside Python at once (each holds a
	// thread); 0 for the default.
	MaxCalls int
	// Limits bound what crosses.
	Limits Limits
	// LogLevel is the least that Host logs: "debug", "info", "warning" or "error".
	// Python makes no records below it. Empty is "debug".
	LogLevel string
	// ImportTimeout bounds Load and Bind; 0 for DefaultImportTimeout.
	ImportTimeout time.Duration
}

const (
	defaultRunning  = 1
	defaultMaxCalls = 512
)

// Runtime is the started interpreter with the plugin code in it. There is one
// in a process, and it is never taken down.
type Runtime struct {
	interpreter *Interpreter
	library     *library
	host        Host
	admission   *admission
	calls       inflightCalls
	limits      Limits

	importTimeout time.Duration
	managed       managed
}

// started is the one runtime: callbacks from C find it here.
var started atomic.Pointer[Runtime]

// starts is held by Start. failed is why Python did not start where another try is
// of no use: what is in the process cannot be unloaded.
var starts struct {
	sync.Mutex
	failed error
}

// Start runs the interpreter. A second start in a process is an error; after one that
// failed before libpython was loaded, the next may succeed.
func Start(o Options) (*Runtime, error) {
	starts.Lock()
	defer starts.Unlock()
	if started.Load() != nil {
		return nil, errors.New("this process runs Python already: it has one interpreter")
	}
	if starts.failed != nil {
		return nil, fmt.Errorf("only a new process can start Python again, since this failed: %w", starts.failed)
	}
	rt, err := start(o)
	if err != nil && hasPython() {
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
		admission: newAdmission(or(o.Running, defaultRunning), or(o.MaxCalls, defaultMaxCalls)),
		limits:    o.Limits.orDefault(), importTimeout: or(o.ImportTimeout, DefaultImportTimeout),
	}
	rt.calls.rt, rt.calls.most = rt, int64(rt.limits.KeptBuffers)
	started.Store(rt) // before Python runs: what it logs at start arrives
	if err := onThreadForever(func() error { return lib.run(interpreter.Executable, rt.limits, o.LogLevel) }); err != nil {
		started.Store(nil)
		return nil, err
	}
	return rt, nil
}

// onThreadForever runs f on a thread that lives as long as the process: Python
// takes the thread that starts it for its main thread.
func onThreadForever(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- protected(f)
		select {}
	}()
	return <-done
}

// Describe returns one line for the log: which Python runs, and from where.
func (rt *Runtime) Describe() string {
	i := rt.interpreter
	return fmt.Sprintf("Python %s (%s), tyk_cffi %s, protobuf %s", i.Python, i.Executable, i.Version, i.Protobuf)
}

// Load loads the code of a source, or loads it anew: the new version is built
// beside the old one and takes its place, for all hooks bound to it at once,
// when it is sound. Otherwise the old one stays and the error (ErrLoadFailed)
// says why. Calls that run finish on the version they began with.
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
	err = rt.ask(loading+path, rt.library.load, map[string]any{
		"key": s.Key, "path": path, "entry": s.Entry, "keep": keep,
	}, &loaded)
	return loaded, err
}

// Bind finds a hook and gives it a handle. The error for a hook that is not
// there (ErrUnknown) names the nearest that is.
func (rt *Runtime) Bind(b Binding) (*Hook, error) {
	var bound struct {
		Handle uint64 `json:"handle"`
		Blocks bool   `json:"blocks"`
	}
	err := rt.ask(pythonAnswers, rt.library.bind, map[string]any{
		"source": b.Source, "type": b.Type, "name": b.Name,
		"spec": b.Spec, "raw_body_only": b.RawBodyOnly,
	}, &bound)
	if err != nil {
		return nil, err
	}
	hook := &Hook{rt: rt, handle: bound.Handle, binding: b}
	hook.stats.async = bound.Blocks
	hook.stats.blocks.Store(bound.Blocks)
	hook.stats.readsBody.Store(bound.Blocks) // reading one would hold up the event loop
	return hook, nil
}

// DispatchEvent calls an event handler; event is the JSON of the contract's
// section 7. It takes a place like a hook does, and returns when the handler has.
func (rt *Runtime) DispatchEvent(ctx context.Context, event []byte) error {
	c := rt.calls.get()
	defer rt.calls.put(c)
	c.event = event
	if err := c.do(ctx, &eventStats); err != nil {
		return err
	}
	return c.err
}

// eventStats: handlers may take their time, and run without a slot then.
var eventStats hookStats

// Usage tells what the interpreter is doing.
func (rt *Runtime) Usage() Usage {
	usage := rt.admission.usage()
	usage.KeptBytes = rt.calls.keptBytes()
	return usage
}

// Stats returns the counters of the Python side, as JSON.
func (rt *Runtime) Stats() (json.RawMessage, error) {
	return rt.managed.do(pythonAnswers, rt.importTimeout, func() ([]byte, error) {
		return rt.library.plain(rt.library.stats)
	})
}

// SetLogLevel changes the least level that the host logs (Options.LogLevel).
func (rt *Runtime) SetLogLevel(level string) error {
	_, err := rt.managed.do(pythonAnswers, rt.importTimeout, func() ([]byte, error) {
		rt.library.setLevel(level)
		return nil, nil
	})
	return err
}

// Stop runs what plugins want run at the end and flushes what they wrote; it takes no
// longer than limit. Python itself stays: threads of plugins may still run when the
// process ends.
func (rt *Runtime) Stop(limit time.Duration) error {
	_, err := rt.managed.do("stopping Python", limit, func() ([]byte, error) {
		return nil, rt.library.end(limit)
	})
	return err
}

// ask sends a request as JSON and reads the answer into out; what names it in errors.
func (rt *Runtime) ask(what string, function symbol, request, out any) error {
	data, err := json.Marshal(request)
	if err != nil {
		return err
	}
	answer, err := rt.managed.do(what, rt.importTimeout, func() ([]byte, error) {
		return rt.library.json(function, 0, data)
	})
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, out)
}
