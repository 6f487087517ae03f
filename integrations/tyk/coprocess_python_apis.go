//go:build cgo && coprocess && python

package gateway

import (
	"github.com/TykTechnologies/tyk/apidef"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// hooksOf returns the enabled hooks of a section.
func hooksOf(m *apidef.MiddlewareSection) (hooks []registry.Configured) {
	if m.Driver != apidef.PythonDriver {
		return nil
	}
	add := func(hookType driver.HookType, definitions ...apidef.MiddlewareDefinition) {
		for _, h := range definitions {
			if !h.Disabled && h.Name != "" {
				hooks = append(hooks, registry.Configured{HookName: driver.HookName{Type: hookType, Name: h.Name}, RawBodyOnly: h.RawBodyOnly})
			}
		}
	}
	add(driver.Pre, m.Pre...)
	add(driver.CustomKeyCheck, m.AuthCheck)
	add(driver.PostKeyAuth, m.PostKeyAuth...)
	add(driver.Post, m.Post...)
	add(driver.Response, m.Response...)
	return hooks
}

// usesDirectory reports whether an API's hooks are in <middleware_path>/python.
func usesDirectory(api *APISpec) bool {
	return api.CustomMiddlewareBundle == "" || api.CustomMiddlewareBundleDisabled
}

// sourceOf returns the source of an API's hooks. Tyk passes the hash of the bundle's name
// even if the bundle is disabled, in which case the definition's own section counts.
func sourceOf(api *APISpec, hash string) string {
	if usesDirectory(api) {
		return driver.DirectoryKey
	}
	return hash
}

// api returns a loaded API, or nil if there is none with that id.
func (d *PythonDispatcher) api(id string) *APISpec {
	if gw := d.gateway.Load(); gw != nil {
		return gw.getApiSpec(id)
	}
	return nil
}

// inDirectory returns the hooks of the directory that the loaded APIs use.
func (d *PythonDispatcher) inDirectory() (hooks []registry.Configured) {
	gw := d.gateway.Load()
	if gw == nil {
		return nil
	}
	gw.apisMu.RLock()
	defer gw.apisMu.RUnlock()
	for _, api := range gw.apisByID {
		if usesDirectory(api) {
			hooks = append(hooks, hooksOf(&api.CustomMiddleware)...)
		}
	}
	return hooks
}
