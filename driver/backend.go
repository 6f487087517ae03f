package driver

import (
	"context"
	"encoding/json"
	"time"
)

// Backend is a way to run Python. Package inproc has the one that runs it in this
// process.
//
// All methods are safe for concurrent use.
type Backend interface {
	// Load loads or reloads the code of a source. If the new version loads, it replaces
	// the old one for all hooks of the source at once. Otherwise the old version stays in
	// use, and the error is an ErrLoadFailed. Running calls finish on the version that
	// they began with.
	Load(Source) (Loaded, error)
	// Bind finds a hook and gives it a handle, a number that the caller chooses and uses
	// once. If there is no such hook, the error is an ErrUnknown and names the closest
	// match.
	Bind(handle uint64, b Binding) (Hook, error)
	// DispatchEvent calls an event handler and waits for its end. event is JSON (contract
	// 7). The call is subject to admission, as hooks are.
	DispatchEvent(ctx context.Context, event []byte) error
	// Usage returns the current usage of the interpreter.
	Usage() Usage
	// Stats returns the counters of the Python runtime, as JSON.
	Stats() (json.RawMessage, error)
	// SetLogLevel changes the lowest level that the host logs (Options.LogLevel).
	SetLogLevel(level string) error
	// Describe returns one line for the log with the versions and the path of Python.
	Describe() string
	// Stop runs the plugins' exit functions and flushes their output, for at most limit.
	Stop(limit time.Duration) error
}

// Hook is one hook of one API. After Load has replaced the code of its source, the next
// call runs the new code.
type Hook interface {
	// Dispatch runs the hook. ctx bounds the wait for the interpreter, not the hook
	// itself. When it returns an error the request must not pass. The error's text has
	// no traceback; the Detail of an *Error does.
	Dispatch(ctx context.Context, call *Call) (*Reply, error)
	// ReadsBody reports whether the hook is known to read bodies. If so, the host should
	// read the body before it calls Dispatch: a hook that waits for it blocks a thread.
	ReadsBody() bool
	// Close unbinds the hook. Running calls finish.
	Close()
	// String returns the hook's name for the log.
	String() string
}
