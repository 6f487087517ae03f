package driver

import (
	"errors"
	"strings"
)

// Kinds of failure, for errors.Is.
var (
	// ErrDidNotRun: Python never ran the call.
	ErrDidNotRun = errors.New("did not run")
	// ErrHookFailed: the hook raised, or returned what it must not.
	ErrHookFailed = errors.New("hook failed")
	// ErrUnknown: there is no hook, event handler or source of that name.
	ErrUnknown = errors.New("unknown")
	// ErrBadMessage: bytes did not decode on one of the two sides.
	ErrBadMessage = errors.New("bad message")
	// ErrLoadFailed: the code did not load; what was there before stays.
	ErrLoadFailed = errors.New("load failed")
	// ErrStartFailed: the interpreter or the runtime did not start.
	ErrStartFailed = errors.New("start failed")
	// ErrTimedOut: Python did not answer within the limit.
	ErrTimedOut = errors.New("timed out")
)

// Error is a failure told by the Python side.
type Error struct {
	kind error
	text string
}

// Error returns the summary, one line without a traceback.
func (e *Error) Error() string {
	summary, _, _ := strings.Cut(e.text, "\n")
	return summary
}

// Detail returns the whole text, tracebacks included. It is for the log, never
// for a client.
func (e *Error) Detail() string { return e.text }

// Unwrap returns the kind of failure.
func (e *Error) Unwrap() error { return e.kind }
