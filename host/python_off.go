//go:build !coprocess || !python

package host

import "github.com/tyk-cffi/tyk-cffi/driver"

// startCoprocess returns errNoTags: this binary was built without Python.
func startCoprocess(*CoprocessSettings, string, driver.Host) (driver.Backend, error) {
	return nil, errNoTags
}
