//go:build !coprocess || !python

package host

import "github.com/tyk-cffi/tyk-cffi/driver"

// startCoprocess has no Python to start; APIs that want it say so.
func startCoprocess(*CoprocessSettings, string, driver.Host) (coprocess, error) {
	return nil, errNoTags
}
