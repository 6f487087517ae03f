// Package registry keeps what runs on a driver.Backend: which folders are loaded and how,
// which hook of which source an API has, who uses a bound hook, and what an event handler
// is given. Its rules are those of Tyk; each gateway only converts its own types.
package registry

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Registry is a backend with the sources and hooks on it. All methods are safe for
// concurrent use.
type Registry struct {
	driver.Backend
	handles atomic.Uint64 // the last that was given to a hook

	mu    sync.Mutex
	hooks map[string][]string // the hooks of each loaded source, as in driver.Loaded
}

// New returns a registry for a backend.
func New(b driver.Backend) *Registry {
	return &Registry{Backend: b, hooks: map[string][]string{}}
}

// Load loads a source (driver.Backend.Load). If its folder does not exist, the error wraps
// fs.ErrNotExist, and what was loaded before stays in use.
func (r *Registry) Load(s driver.Source) (driver.Loaded, error) {
	if _, err := os.Stat(s.Path); err != nil {
		if len(s.Keep) > 0 {
			err = fmt.Errorf("%s does not exist, and API definitions name hooks in it: %w", s.Path, fs.ErrNotExist)
		}
		return driver.Loaded{}, err
	}
	loaded, err := r.Backend.Load(s)
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.hooks[s.Key] = loaded.Hooks
	}
	return loaded, err
}

// Bind binds the hook of an API. sources are the keys of the API's sources in the order in
// which they are searched; the binding's Source, and bundle_hash in its Spec, become the
// one that has the hook. The caller has the only reference to the hook.
func (r *Registry) Bind(sources []string, b driver.Binding) (*Hook, error) {
	name := driver.HookName{Type: b.Type, Name: b.Name}
	has := r.defining(sources, name)
	switch {
	case len(has) > 0:
		b.Source = has[0]
	case len(sources) > 0:
		b.Source = sources[0] // the backend's error names the closest match
	}
	if b.Spec["bundle_hash"] != b.Source {
		b.Spec = maps.Clone(b.Spec)
		if b.Spec == nil {
			b.Spec = map[string]string{}
		}
		b.Spec["bundle_hash"] = b.Source
	}
	bound, err := r.Backend.Bind(r.handles.Add(1), b)
	if err != nil {
		return nil, err
	}
	hook := &Hook{Hook: bound, Source: b.Source}
	hook.uses = NewUses(func() { go bound.Close() }) // Close may wait for Python
	if len(has) > 1 {
		hook.Warning = fmt.Sprintf("%s is defined by several sources of the API, %q; that of %s is used", bound, has, b.Source)
	}
	return hook, nil
}

// defining returns those of the sources that define a hook.
func (r *Registry) defining(sources []string, name driver.HookName) (keys []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range sources {
		if Defines(r.hooks[key], name) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Defines reports whether a source with those hooks (driver.Loaded.Hooks) defines a hook.
// A function under @Hook serves any type.
func Defines(hooks []string, name driver.HookName) bool {
	return slices.Contains(hooks, name.Type.String()+" "+name.Name) || slices.Contains(hooks, "Hook "+name.Name)
}

// Hook is a bound hook with a count of its references. It is closed when there are none.
type Hook struct {
	driver.Hook
	Source  string // key of the source that has it
	Warning string // for the log, if several sources define the hook
	uses    *Uses
}

// Acquire adds a reference. It returns false if the hook is closed already.
func (h *Hook) Acquire() bool { return h.uses.Enter() }

// Release drops a reference.
func (h *Hook) Release() { h.uses.Leave() }
