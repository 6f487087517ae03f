package driver

import (
	"context"
	"errors"
	"time"
)

// Host provides the gateway's services to plugin code. Its methods are called
// concurrently and must return soon after ctx ends.
type Host interface {
	// StoreGet returns the value of key; found is false when there is none.
	StoreGet(ctx context.Context, key string) (value []byte, found bool, err error)
	// StoreSet writes value under key; it expires after ttl, never when ttl is 0.
	StoreSet(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// StoreDelete removes key; found reports whether it was there.
	StoreDelete(ctx context.Context, key string) (found bool, err error)
	// StoreIncrement adds by to the integer at key and returns the sum, in one step. An
	// absent key counts as 0 and gets the ttl, which is otherwise ignored. It fails with
	// ErrNotInteger or ErrOverflow, and then changes nothing.
	StoreIncrement(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error)
	// StoreTTL returns the time that key has left, 0 when it does not expire; found is
	// false when there is no such key.
	StoreTTL(ctx context.Context, key string) (ttl time.Duration, found bool, err error)
	// TriggerEvent fires an event of the API whose hook is running; apiID is empty
	// outside of a hook. It must not wait for the event's handlers.
	TriggerEvent(apiID, name, payload string)
	// Log writes one record of plugin code or of the runtime.
	Log(Record)
}

// Errors of StoreIncrement.
var (
	ErrNotInteger = errors.New("its value is not a decimal integer of 64 bits")
	ErrOverflow   = errors.New("the sum does not fit into 64 bits")
)

// Record is one line of the log.
type Record struct {
	Level   string // debug, info, warning or error
	APIID   string // of the running hook, or empty
	Hook    string // name of the running hook, or empty
	Message string // may contain newlines (a traceback)
}
