//go:build cgo && coprocess && python

package gateway

import (
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// hookKey identifies a bound hook.
type hookKey struct {
	source, name, api, org, config string
	hookType                       driver.HookType
}

// hook returns the bound hook of object, which the caller must release. The first call
// binds it.
func (d *PythonDispatcher) hook(object *coprocess.Object) (*registry.Hook, error) {
	key := hookKey{
		source: object.Spec["bundle_hash"], name: object.HookName, api: object.Spec["APIID"],
		org: object.Spec["OrgID"], config: object.Spec["config_data"],
		hookType: driver.HookType(object.HookType),
	}
	return d.hooks.Get(key, func() (*registry.Hook, error) { return d.bind(key, object) })
}

func (d *PythonDispatcher) bind(key hookKey, object *coprocess.Object) (*registry.Hook, error) {
	rt, err := d.started()
	if err != nil {
		return nil, err
	}
	source := key.source
	binding := driver.Binding{Type: key.hookType, Name: key.name, Spec: object.Spec}
	if api := d.api(key.api); api != nil {
		source = sourceOf(api, source)
		name := driver.HookName{Type: key.hookType, Name: key.name}
		binding.RawBodyOnly = registry.RawBodyOnly(hooksOf(&api.CustomMiddleware), name)
	}
	hook, err := rt.Bind([]string{source}, binding)
	if err == nil && hook.Warning != "" {
		pythonLog.Warn(hook.Warning)
	}
	return hook, err
}
