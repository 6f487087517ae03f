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

// hooksOf lists the hooks of a section that are not disabled.
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

// hookNames lists the names for Source.Keep: code without one of them does not replace
// code that has it.
func hookNames(hooks []configuredHook) (names []driver.HookName) {
	for _, h := range hooks {
		if !slices.Contains(names, h.HookName) {
			names = append(names, h.HookName)
		}
	}
	return names
}

// usesDirectory reports whether an API's hooks are those of <middleware_path>/python.
func usesDirectory(api *APISpec) bool {
	return api.CustomMiddlewareBundle == "" || api.CustomMiddlewareBundleDisabled
}

// sourceOf returns the source of an API's hooks. Tyk gives the hash of the bundle's
// name even where the bundle is disabled, and the API's own section counts.
func sourceOf(api *APISpec, hash string) string {
	if usesDirectory(api) {
		return driver.DirectoryKey
	}
	return hash
}

// rawBodyOnly tells what the definition says of a hook; where it names one hook
// twice and says both, the text form of bodies is filled.
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

// api returns a loaded API; nil when there is none of that ID.
func (d *PythonDispatcher) api(id string) *APISpec {
	if gw := d.gateway.Load(); gw != nil {
		return gw.getApiSpec(id)
	}
	return nil
}

// inDirectory lists the hooks of the directory that the loaded APIs name.
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
