package driver

import "time"

// Limits bound what crosses between the gateway and Python, in bytes. 0 is the default.
type Limits struct {
	// StoreValue bounds key and value of a store call, EventPayload name and payload
	// of an event. Above them the plugin gets a ValueError.
	StoreValue, EventPayload int
	// LogMessage bounds a log record's message and a hook's error text, which are cut.
	LogMessage int
	// Body bounds a body that a hook sets, Message everything else that it sets:
	// headers, session, return_overrides with response_body. Above them the call fails.
	Body, Message int
	// KeptBuffers bounds the buffers of ended calls that are kept for later ones.
	KeptBuffers int
}

// DefaultLimits are those of a zero Limits.
var DefaultLimits = Limits{
	StoreValue:   64 << 20,
	EventPayload: 4 << 20,
	LogMessage:   64 << 10,
	Body:         64 << 20,
	Message:      64 << 20,
	KeptBuffers:  16 << 20,
}

const (
	// DefaultImportTimeout is how long a source may take to load.
	DefaultImportTimeout = 30 * time.Second
	// keptFor is how long the buffers of ended calls are kept unused.
	keptFor = 5 * time.Second
)

// orDefault returns l with defaults in place of zeros.
func (l Limits) orDefault() Limits {
	d := DefaultLimits
	return Limits{
		StoreValue: or(l.StoreValue, d.StoreValue), EventPayload: or(l.EventPayload, d.EventPayload),
		LogMessage: or(l.LogMessage, d.LogMessage), Body: or(l.Body, d.Body),
		Message: or(l.Message, d.Message), KeptBuffers: or(l.KeptBuffers, d.KeptBuffers),
	}
}

func or[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}
