package driver

import (
	"context"
	"time"
)

// Host provides the gateway's services to plugin code. Its methods are called
// concurrently and must return soon after ctx ends.
type Host interface {
	// StoreGet returns the value of key; found is false when there is none.
	StoreGet(ctx context.Context, key string) (value []byte, found bool, err error)
	// StoreSet writes value under key; it expires after ttl, never when ttl is 0.
	StoreSet(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// TriggerEvent fires an event of the API whose hook is running; apiID is empty
	// outside of a hook. It must not wait for the event's handlers.
	TriggerEvent(apiID, name, payload string)
	// Log writes one record of plugin code or of the runtime.
	Log(Record)
}

// Record is one line of the log.
type Record struct {
	Level   string // debug, info, warning or error
	APIID   string // of the running hook, or empty
	Hook    string // name of the running hook, or empty
	Message string // may contain newlines (a traceback)
}
