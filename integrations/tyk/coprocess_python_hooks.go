//go:build cgo && coprocess && python

package gateway

import (
	"maps"
	"sync/atomic"

	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// hookKey identifies a bound hook. Hooks are bound again after a reload, since the
// definition may have changed.
type hookKey struct {
	source, name, api, org, config string
	hookType                       driver.HookType
	reload                         int64
}

// boundHook is a reference-counted hook. The table of hooks holds one reference, each call
// in flight another; without references the hook is closed.
type boundHook struct {
	driver.Hook
	uses atomic.Int64
}

// acquire adds a reference. It returns false if the hook is closed.
func (b *boundHook) acquire() bool {
	for {
		n := b.uses.Load()
		if n == 0 {
			return false
		}
		if b.uses.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release drops a reference.
func (b *boundHook) release() {
	if b.uses.Add(-1) == 0 {
		b.Close()
	}
}

// hook returns the bound hook of object, which the caller must release. The first call
// binds it.
func (d *PythonDispatcher) hook(object *coprocess.Object) (*boundHook, error) {
	key := hookKey{
		source: object.Spec["bundle_hash"], name: object.HookName, api: object.Spec["APIID"],
		org: object.Spec["OrgID"], config: object.Spec["config_data"],
		hookType: driver.HookType(object.HookType), reload: d.reloads.Load(),
	}
	for {
		if hook, ok := d.hooks.Load(key); ok && hook.(*boundHook).acquire() {
			return hook.(*boundHook), nil
		}
		if d.reloads.Load() != key.reload { // a reload has just replaced it
			key.reload = d.reloads.Load()
			continue
		}
		hook, err := d.bind(key, object)
		if err != nil {
			return nil, err
		}
		if _, loaded := d.hooks.LoadOrStore(key, hook); !loaded {
			return hook, nil
		}
		hook.Close() // another call has bound it meanwhile
	}
}

// bind returns the hook with two references: the table's and the caller's.
func (d *PythonDispatcher) bind(key hookKey, object *coprocess.Object) (*boundHook, error) {
	rt, err := d.started()
	if err != nil {
		return nil, err
	}
	binding := driver.Binding{Source: key.source, Type: key.hookType, Name: key.name, Spec: object.Spec}
	if api := d.api(key.api); api != nil {
		binding.Source = sourceOf(api, key.source)
		binding.RawBodyOnly = rawBodyOnly(api, key.hookType, key.name)
	}
	if binding.Source != key.source {
		binding.Spec = maps.Clone(object.Spec)
		binding.Spec["bundle_hash"] = binding.Source
	}
	hook, err := rt.Bind(binding)
	if err != nil {
		return nil, err
	}
	bound := &boundHook{Hook: hook}
	bound.uses.Store(2)
	return bound, nil
}

// unbind empties the table of hooks. Calls in flight keep theirs until they end.
func (d *PythonDispatcher) unbind() {
	current := d.reloads.Add(1)
	d.hooks.Range(func(key, hook any) bool {
		if key.(hookKey).reload != current && d.hooks.CompareAndDelete(key, hook) {
			hook.(*boundHook).release()
		}
		return true
	})
}
