//go:build coprocess && python

package host

import (
	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
)

// startCoprocess starts Python.
func startCoprocess(s *CoprocessSettings, logLevel string, services driver.Host) (driver.Backend, error) {
	options := driver.Options{PythonVersion: s.PythonVersion, Host: services, LogLevel: logLevel}
	s.Apply(&options)
	runtime, err := inproc.Start(options)
	if err != nil {
		return nil, err
	}
	return runtime, nil
}
