//go:build coprocess && python

package host

import (
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
)

// startCoprocess starts Python.
func startCoprocess(s *CoprocessSettings, logLevel string, services driver.Host) (driver.Backend, error) {
	runtime, err := inproc.Start(driver.Options{
		PythonVersion: s.PythonVersion, Host: services, Running: s.Running, MaxCalls: s.MaxCalls,
		LogLevel: logLevel, Limits: s.driverLimits(),
		ImportTimeout: time.Duration(s.ImportTimeoutMS) * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	return runtime, nil
}

// driverLimits returns the limits for the driver.
func (s *CoprocessSettings) driverLimits() driver.Limits {
	return driver.Limits{
		StoreValue: int(s.MaxStoreValueBytes), EventPayload: int(s.MaxEventBytes),
		LogMessage: int(s.MaxLogBytes), Body: int(s.MaxBodyBytes), Message: int(s.MaxMessageBytes),
		KeptBuffers: int(s.MaxKeptBytes),
	}
}
