//go:build cgo && coprocess && python

package gateway

import (
	"slices"

	"github.com/TykTechnologies/tyk/apidef"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// configuredHook is a hook that a definition or a manifest names.
type configuredHook struct {
	driver.HookName
	rawBodyOnly bool
}

// hooksOf returns the enabled hooks of a section.
func hooksOf(m *apidef.MiddlewareSection) (hooks []configuredHook) {
	if m.Driver != apidef.PythonDriver {
		return nil
	}
	add := func(hookType driver.HookType, definitions ...apidef.MiddlewareDefinition) {
		for _, h := range definitions {
			if !h.Disabled && h.Name != "" {
				hooks = append(hooks, configuredHook{driver.HookName{Type: hookType, Name: h.Name}, h.RawBodyOnly})
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

// hookNames returns the hooks for Source.Keep: a new version without one of them does not
// replace a version that has it.
func hookNames(hooks []configuredHook) (names []driver.HookName) {
	for _, h := range hooks {
		if !slices.Contains(names, h.HookName) {
			names = append(names, h.HookName)
		}
	}
	return names
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

// rawBodyOnly returns the definition's raw_body_only for a hook. If the definition lists
// the hook twice with different values, the result is false.
func rawBodyOnly(api *APISpec, hookType driver.HookType, name string) bool {
	raw := false
	for _, h := range hooksOf(&api.CustomMiddleware) {
		if h.Type != hookType || h.Name != name {
			continue
		}
		if !h.rawBodyOnly {
			return false
		}
		raw = true
	}
	return raw
}

// api returns a loaded API, or nil if there is none with that id.
func (d *PythonDispatcher) api(id string) *APISpec {
	if gw := d.gateway.Load(); gw != nil {
		return gw.getApiSpec(id)
	}
	return nil
}

// inDirectory returns the hooks of the directory that the loaded APIs use.
func (d *PythonDispatcher) inDirectory() (hooks []configuredHook) {
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
