package host

import (
	"errors"
	"fmt"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// defaultBodiesBytes is the default of max_bodies_bytes.
const defaultBodiesBytes = 256 << 20

// ShutdownSettings bounds the time that the gateway takes to stop, in seconds: our setting,
// and Tyk's name for the same.
type ShutdownSettings struct {
	ShutdownTimeout         int64 `json:"shutdown_timeout" env:"SHUTDOWNTIMEOUT"`
	GracefulShutdownTimeout int64 `json:"graceful_shutdown_timeout_duration" env:"GRACEFULSHUTDOWNTIMEOUTDURATION"`
}

const (
	defaultShutdown = 30 * time.Second
	maxShutdown     = 24 * time.Hour
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
	c := &s.Coprocess
	if err := errors.Join(c.Check(), driver.CheckSetting("max_bodies_bytes", c.MaxBodiesBytes, c.MaxBodyBytes+1)); err != nil {
		return err
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
