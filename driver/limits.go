package driver

import "time"

// Limits bounds the data passed between the gateway and Python, in bytes. 0 means the
// default.
type Limits struct {
	// StoreValue bounds key plus value of a store call, EventPayload name plus payload
	// of an event. Larger ones raise ValueError in the plugin.
	StoreValue, EventPayload int
	// LogMessage bounds the message of a log record and the error text of a hook; longer
	// ones are cut.
	LogMessage int
	// Body bounds a body set by a hook, Message everything else that it sets: headers,
	// session, return_overrides with response_body. The call fails above them.
	Body, Message int
	// KeptBuffers bounds the buffers that are kept between calls.
	KeptBuffers int
}

// DefaultLimits is used in place of zeros.
var DefaultLimits = Limits{
	StoreValue:   64 << 20,
	EventPayload: 4 << 20,
	LogMessage:   64 << 10,
	Body:         64 << 20,
	Message:      64 << 20,
	KeptBuffers:  16 << 20,
}

// OrDefault returns l with zeros replaced by defaults.
func (l Limits) OrDefault() Limits {
	d := DefaultLimits
	return Limits{
		StoreValue: positiveOr(l.StoreValue, d.StoreValue), EventPayload: positiveOr(l.EventPayload, d.EventPayload),
		LogMessage: positiveOr(l.LogMessage, d.LogMessage), Body: positiveOr(l.Body, d.Body),
		Message: positiveOr(l.Message, d.Message), KeptBuffers: positiveOr(l.KeptBuffers, d.KeptBuffers),
	}
}

func positiveOr[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}
