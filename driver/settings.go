package driver

import (
	"fmt"
	"math"
	"time"
)

// Settings are those of coprocess_options that both gateways have in addition to Tyk's, with
// their names in the settings file and in the environment.
type Settings struct {
	// Running is how many hooks use the interpreter at once, MaxCalls how many may be
	// inside Python, blocked ones included (each occupies a thread). 0 means the default.
	Running  int64 `json:"running" env:"RUNNING"`
	MaxCalls int64 `json:"max_calls" env:"MAXCALLS"`
	// MaxBodyBytes bounds a body that a hook reads or sets.
	MaxBodyBytes int64 `json:"max_body_bytes" env:"MAXBODYBYTES"`
	// MaxMessageBytes bounds everything else that a hook sets: headers, session,
	// response_body.
	MaxMessageBytes int64 `json:"max_message_bytes" env:"MAXMESSAGEBYTES"`
	// MaxEventBytes bounds the payload of an event, MaxEventsBytes all events that are
	// queued or being handled. The gateway enforces the latter.
	MaxEventBytes  int64 `json:"max_event_bytes" env:"MAXEVENTBYTES"`
	MaxEventsBytes int64 `json:"max_events_bytes" env:"MAXEVENTSBYTES"`
	// MaxStoreValueBytes bounds key plus value of a store call.
	MaxStoreValueBytes int64 `json:"max_store_value_bytes" env:"MAXSTOREVALUEBYTES"`
	// MaxLogBytes bounds a log message; longer ones are cut.
	MaxLogBytes int64 `json:"max_log_bytes" env:"MAXLOGBYTES"`
	// MaxKeptBytes bounds the buffers that are kept between calls.
	MaxKeptBytes int64 `json:"max_kept_bytes" env:"MAXKEPTBYTES"`
	// ImportTimeoutMS bounds the import of the modules of one source.
	ImportTimeoutMS int64 `json:"import_timeout_ms" env:"IMPORTTIMEOUTMS"`
}

// DefaultSettings are the defaults.
var DefaultSettings = Settings{
	MaxBodyBytes:       int64(DefaultLimits.Body),
	MaxMessageBytes:    int64(DefaultLimits.Message),
	MaxEventBytes:      int64(DefaultLimits.EventPayload),
	MaxEventsBytes:     32 << 20,
	MaxStoreValueBytes: int64(DefaultLimits.StoreValue),
	MaxLogBytes:        int64(DefaultLimits.LogMessage),
	MaxKeptBytes:       int64(DefaultLimits.KeptBuffers),
	ImportTimeoutMS:    DefaultImportTimeout.Milliseconds(),
}

const (
	maxSetting = math.MaxInt64 / int64(time.Millisecond)
	mostCalls  = 100_000 // each has a thread
)

// Check returns an error if a setting is out of range.
func (s *Settings) Check() error {
	for _, l := range []struct {
		name         string
		value, least int64
	}{
		{"max_body_bytes", s.MaxBodyBytes, 1},
		{"max_message_bytes", s.MaxMessageBytes, 1 << 10},
		{"max_event_bytes", s.MaxEventBytes, 1},
		{"max_events_bytes", s.MaxEventsBytes, s.MaxEventBytes},
		{"max_store_value_bytes", s.MaxStoreValueBytes, 1},
		{"max_log_bytes", s.MaxLogBytes, 1},
		{"max_kept_bytes", s.MaxKeptBytes, 1},
		{"import_timeout_ms", s.ImportTimeoutMS, 1},
	} {
		if err := CheckSetting(l.name, l.value, l.least); err != nil {
			return err
		}
	}
	for name, calls := range map[string]int64{"running": s.Running, "max_calls": s.MaxCalls} {
		if calls < 0 || calls > mostCalls {
			return fmt.Errorf("coprocess_options.%s %d: it must be between 1 and %d, or 0 for the default", name, calls, mostCalls)
		}
	}
	return nil
}

// CheckSetting returns an error if a limit in coprocess_options is out of range.
func CheckSetting(name string, value, least int64) error {
	if value < least || value > maxSetting {
		return fmt.Errorf("coprocess_options.%s %d: it must be between %d and %d", name, value, least, maxSetting)
	}
	return nil
}

// Apply sets what the settings say about the driver in its options.
func (s *Settings) Apply(o *Options) {
	o.Running, o.MaxCalls = int(s.Running), int(s.MaxCalls)
	o.ImportTimeout = time.Duration(s.ImportTimeoutMS) * time.Millisecond
	o.Limits = Limits{
		StoreValue: int(s.MaxStoreValueBytes), EventPayload: int(s.MaxEventBytes),
		LogMessage: int(s.MaxLogBytes), Body: int(s.MaxBodyBytes), Message: int(s.MaxMessageBytes),
		KeptBuffers: int(s.MaxKeptBytes),
	}
}
