// Package registry keeps what runs on a driver.Backend: sources, hooks and event handlers.
package registry

import (
	"sync/atomic"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Registry gives hooks their handles, so that all parts of a backend agree on them.
type Registry struct {
	driver.Backend
	handles atomic.Uint64
}

// New returns a registry for a backend.
func New(b driver.Backend) *Registry { return &Registry{Backend: b} }

// Bind finds a hook (driver.Backend.Bind) and binds it to a handle of its own.
func (r *Registry) Bind(b driver.Binding) (driver.Hook, error) {
	return r.Backend.Bind(r.handles.Add(1), b)
}
