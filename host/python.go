//go:build coprocess && python

package host

import (
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// startCoprocess starts Python.
func startCoprocess(s *CoprocessSettings, logLevel string, services driver.Host) (coprocess, error) {
	runtime, err := driver.Start(driver.Options{
		PythonVersion: s.PythonVersion, Host: services, Running: s.Running, MaxCalls: s.MaxCalls,
		LogLevel: logLevel, Limits: s.driverLimits(),
		ImportTimeout: time.Duration(s.ImportTimeoutMS) * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	return python{runtime}, nil
}

// python adapts the driver's runtime to the interface coprocess.
type python struct{ *driver.Runtime }

func (p python) Bind(b driver.Binding) (hook, error) {
	h, err := p.Runtime.Bind(b)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// driverLimits returns the limits for the driver.
func (s *CoprocessSettings) driverLimits() driver.Limits {
	return driver.Limits{
		StoreValue: int(s.MaxStoreValueBytes), EventPayload: int(s.MaxEventBytes),
		LogMessage: int(s.MaxLogBytes), Body: int(s.MaxBodyBytes), Message: int(s.MaxMessageBytes),
		KeptBuffers: int(s.MaxKeptBytes),
	}
}
