package driver

import (
	"errors"
	"strings"
)

// Kinds of errors, for errors.Is.
var (
	// ErrDidNotRun means that the call never ran in Python.
	ErrDidNotRun = errors.New("did not run")
	// ErrHookFailed means that the hook raised an exception or returned an invalid value.
	ErrHookFailed = errors.New("hook failed")
	// ErrUnknown means that there is no hook, event handler or source of that name.
	ErrUnknown = errors.New("unknown")
	// ErrBadMessage means that a message could not be decoded.
	ErrBadMessage = errors.New("bad message")
	// ErrLoadFailed means that code did not load; the previous code stays in use.
	ErrLoadFailed = errors.New("load failed")
	// ErrStartFailed means that the interpreter or the runtime did not start.
	ErrStartFailed = errors.New("start failed")
	// ErrTimedOut means that Python did not finish within the limit.
	ErrTimedOut = errors.New("timed out")
)

// Error is an error that Python reported.
type Error struct {
	kind error
	text string
}

// NewError returns an error of a kind (ErrHookFailed …). The first line of text is the
// summary.
func NewError(kind error, text string) *Error { return &Error{kind: kind, text: text} }

// Error returns the summary, one line without a traceback.
func (e *Error) Error() string {
	summary, _, _ := strings.Cut(e.text, "\n")
	return summary
}

// Detail returns the whole text, tracebacks included. It is meant for the log, not
// for clients.
func (e *Error) Detail() string { return e.text }

// Unwrap returns the kind of the error.
func (e *Error) Unwrap() error { return e.kind }
