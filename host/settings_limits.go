package host

import (
	"fmt"
	"math"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// CoprocessLimits bound what plugins can make the gateway hold, in bytes, and how long
// their modules may import.
type CoprocessLimits struct {
	// MaxBodiesBytes bounds the bodies of all requests that are in memory at once. A
	// request that would exceed it waits, and is answered 503 when it has waited too long.
	MaxBodiesBytes int64 `json:"max_bodies_bytes" env:"MAXBODIESBYTES"`
	// MaxMessageBytes bounds what else a hook sets: headers, session, response_body.
	MaxMessageBytes int64 `json:"max_message_bytes" env:"MAXMESSAGEBYTES"`
	// MaxEventBytes bounds an event's payload, MaxEventsBytes all events that wait or
	// are handled.
	MaxEventBytes  int64 `json:"max_event_bytes" env:"MAXEVENTBYTES"`
	MaxEventsBytes int64 `json:"max_events_bytes" env:"MAXEVENTSBYTES"`
	// MaxStoreValueBytes bounds key and value of store_data and get_data.
	MaxStoreValueBytes int64 `json:"max_store_value_bytes" env:"MAXSTOREVALUEBYTES"`
	// MaxLogBytes bounds a message of the log; the rest is cut.
	MaxLogBytes int64 `json:"max_log_bytes" env:"MAXLOGBYTES"`
	// MaxKeptBytes bounds buffers of ended calls that are kept for later ones.
	MaxKeptBytes int64 `json:"max_kept_bytes" env:"MAXKEPTBYTES"`
	// ImportTimeoutMS is how long a reload waits for the modules of one source.
	ImportTimeoutMS int64 `json:"import_timeout_ms" env:"IMPORTTIMEOUTMS"`
}

// defaultLimits are the driver's, where it has them.
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

// ShutdownSettings say how long the gateway may take to stop, in seconds: ours, and
// Tyk's name for the same.
type ShutdownSettings struct {
	ShutdownTimeout         int64 `json:"shutdown_timeout" env:"SHUTDOWNTIMEOUT"`
	GracefulShutdownTimeout int64 `json:"graceful_shutdown_timeout_duration" env:"GRACEFULSHUTDOWNTIMEOUTDURATION"`
}

const (
	defaultShutdown = 30 * time.Second
	maxShutdown     = 24 * time.Hour
)

// limit is the time that the gateway may take to stop.
func (s ShutdownSettings) limit() time.Duration {
	for _, seconds := range []int64{s.ShutdownTimeout, s.GracefulShutdownTimeout} {
		if seconds > 0 {
			return time.Duration(seconds) * time.Second
		}
	}
	return defaultShutdown
}

// checkLimits refuses limits that cannot hold.
func (s *Settings) checkLimits() error {
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
		if l.value < l.least || l.value > math.MaxInt64/int64(time.Millisecond) {
			return fmt.Errorf("coprocess_options.%s %d: it must be at least %d", l.name, l.value, l.least)
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
