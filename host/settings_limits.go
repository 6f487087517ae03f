package host

import (
	"fmt"
	"math"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// CoprocessLimits bounds the memory that plugins can make the gateway use, and the time for
// importing their modules.
type CoprocessLimits struct {
	// MaxBodiesBytes bounds the bodies of all requests in memory. A request that would
	// exceed it waits for memory; if it waits too long, the response is 503.
	MaxBodiesBytes int64 `json:"max_bodies_bytes" env:"MAXBODIESBYTES"`
	// MaxMessageBytes bounds everything else that a hook sets: headers, session,
	// response_body.
	MaxMessageBytes int64 `json:"max_message_bytes" env:"MAXMESSAGEBYTES"`
	// MaxEventBytes bounds the payload of an event, MaxEventsBytes all events that are
	// queued or being handled.
	MaxEventBytes  int64 `json:"max_event_bytes" env:"MAXEVENTBYTES"`
	MaxEventsBytes int64 `json:"max_events_bytes" env:"MAXEVENTSBYTES"`
	// MaxStoreValueBytes bounds key plus value of store_data and get_data.
	MaxStoreValueBytes int64 `json:"max_store_value_bytes" env:"MAXSTOREVALUEBYTES"`
	// MaxLogBytes bounds a log message; longer ones are cut.
	MaxLogBytes int64 `json:"max_log_bytes" env:"MAXLOGBYTES"`
	// MaxKeptBytes bounds the buffers that are kept between calls.
	MaxKeptBytes int64 `json:"max_kept_bytes" env:"MAXKEPTBYTES"`
	// ImportTimeoutMS bounds the import of the modules of one source.
	ImportTimeoutMS int64 `json:"import_timeout_ms" env:"IMPORTTIMEOUTMS"`
}

// defaultLimits are the defaults, those of the driver where it has them.
var defaultLimits = CoprocessLimits{
	MaxBodiesBytes:     256 << 20,
	MaxMessageBytes:    int64(driver.DefaultLimits.Message),
	MaxEventBytes:      int64(driver.DefaultLimits.EventPayload),
	MaxEventsBytes:     32 << 20,
	MaxStoreValueBytes: int64(driver.DefaultLimits.StoreValue),
	MaxLogBytes:        int64(driver.DefaultLimits.LogMessage),
	MaxKeptBytes:       int64(driver.DefaultLimits.KeptBuffers),
	ImportTimeoutMS:    driver.DefaultImportTimeout.Milliseconds(),
}

// ShutdownSettings bounds the time that the gateway takes to stop, in seconds: our setting,
// and Tyk's name for the same.
type ShutdownSettings struct {
	ShutdownTimeout         int64 `json:"shutdown_timeout" env:"SHUTDOWNTIMEOUT"`
	GracefulShutdownTimeout int64 `json:"graceful_shutdown_timeout_duration" env:"GRACEFULSHUTDOWNTIMEOUTDURATION"`
}

const (
	defaultShutdown = 30 * time.Second
	maxShutdown     = 24 * time.Hour
	mostCalls       = 100_000 // each has a thread
)

// limit returns the time that the gateway may take to stop.
func (s ShutdownSettings) limit() time.Duration {
	for _, seconds := range []int64{s.ShutdownTimeout, s.GracefulShutdownTimeout} {
		if seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return defaultShutdown
}

// checkLimits returns an error if a limit is out of range.
func (s *Settings) checkLimits() error {
	const most = math.MaxInt64 / int64(time.Millisecond)
	c := &s.Coprocess
	for _, l := range []struct {
		name         string
		value, least int64
	}{
		{"max_body_bytes", c.MaxBodyBytes, 1},
		{"max_bodies_bytes", c.MaxBodiesBytes, c.MaxBodyBytes + 1},
		{"max_message_bytes", c.MaxMessageBytes, 1 << 10},
		{"max_event_bytes", c.MaxEventBytes, 1},
		{"max_events_bytes", c.MaxEventsBytes, c.MaxEventBytes},
		{"max_store_value_bytes", c.MaxStoreValueBytes, 1},
		{"max_log_bytes", c.MaxLogBytes, 1},
		{"max_kept_bytes", c.MaxKeptBytes, 1},
		{"import_timeout_ms", c.ImportTimeoutMS, 1},
	} {
		if l.value < l.least || l.value > most {
			return fmt.Errorf("coprocess_options.%s %d: it must be between %d and %d", l.name, l.value, l.least, most)
		}
	}
	for name, calls := range map[string]int{"running": c.Running, "max_calls": c.MaxCalls} {
		if calls < 0 || calls > mostCalls {
			return fmt.Errorf("coprocess_options.%s %d: it must be between 1 and %d, or 0 for the default", name, calls, mostCalls)
		}
	}
	for name, seconds := range map[string]int64{
		"shutdown_timeout": s.ShutdownTimeout, "graceful_shutdown_timeout_duration": s.GracefulShutdownTimeout,
	} {
		if seconds < 0 || seconds > int64(maxShutdown.Seconds()) {
			return fmt.Errorf("%s %d: it must be seconds, up to a day, or 0 for %v", name, seconds, defaultShutdown)
		}
	}
	return nil
}
