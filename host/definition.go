package host

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Definition is a classic API definition: the fields that this gateway uses. Unknown
// fields are ignored.
type Definition struct {
	Name                    string                `json:"name"`
	APIID                   string                `json:"api_id"`
	OrgID                   string                `json:"org_id"`
	Active                  *bool                 `json:"active"` // absent means active
	UseKeyless              bool                  `json:"use_keyless"`
	Auth                    AuthSource            `json:"auth"`
	AuthConfigs             map[string]AuthSource `json:"auth_configs"`
	EnableCoprocessAuth     bool                  `json:"enable_coprocess_auth"`
	CustomPluginAuthEnabled bool                  `json:"custom_plugin_auth_enabled"`
	Proxy                   struct {
		ListenPath         string `json:"listen_path"`
		TargetURL          string `json:"target_url"`
		StripListenPath    bool   `json:"strip_listen_path"`
		PreserveHostHeader bool   `json:"preserve_host_header"`
	} `json:"proxy"`
	ConfigData         map[string]any `json:"config_data"`
	ConfigDataDisabled bool           `json:"config_data_disabled"`

	CustomMiddleware CustomMiddleware `json:"custom_middleware"`
	Bundle           string           `json:"custom_middleware_bundle"`
	BundleDisabled   bool             `json:"custom_middleware_bundle_disabled"`

	EventHandlers    EventHandlers `json:"event_handlers"`
	SessionLifetime  int64         `json:"session_lifetime"` // seconds
	DisableRateLimit bool          `json:"disable_rate_limit"`
	DisableQuota     bool          `json:"disable_quota"`
	StripAuthData    bool          `json:"strip_auth_data"`

	file    string
	target  *url.URL
	expires time.Time // zero means never
	ignored []string  // Tyk's fields that have no effect here
	refused error     // why it is not served; its listen path then responds 500
}

// CustomMiddleware lists the hooks of an API, in its definition or its bundle's manifest.
type CustomMiddleware struct {
	Pre         []HookDefinition `json:"pre"`
	AuthCheck   HookDefinition   `json:"auth_check"`
	PostKeyAuth []HookDefinition `json:"post_key_auth"`
	Post        []HookDefinition `json:"post"`
	Response    []HookDefinition `json:"response"`
	Driver      string           `json:"driver"`
	IDExtractor IDExtractor      `json:"id_extractor"`
}

// HookDefinition names one hook.
type HookDefinition struct {
	Name        string `json:"name"`
	RawBodyOnly bool   `json:"raw_body_only"`
	Disabled    bool   `json:"disabled"`
}

// EventHandlers lists the handlers of each event.
type EventHandlers struct {
	Events map[string][]EventHandler `json:"events"`
}

// EventHandler names a handler, cp_dynamic_handler, and the function that it calls.
type EventHandler struct {
	Name string `json:"handler_name"`
	Meta struct {
		Name string `json:"name"`
	} `json:"handler_meta"`
}

// customAuth reports whether a hook authenticates requests.
func (d *Definition) customAuth() bool {
	return (d.EnableCoprocessAuth || d.CustomPluginAuthEnabled) && !d.UseKeyless
}

// usesBundle reports whether the API's hooks come from a bundle.
func (d *Definition) usesBundle() bool { return d.Bundle != "" && !d.BundleDisabled }

// hooks calls f for each enabled hook, in the order of execution.
func (m *CustomMiddleware) hooks(customAuth bool, f func(driver.HookType, HookDefinition)) {
	each := func(hookType driver.HookType, list []HookDefinition) {
		for _, hook := range list {
			if !hook.Disabled {
				f(hookType, hook)
			}
		}
	}
	each(driver.Pre, m.Pre)
	if customAuth && m.AuthCheck.Name != "" {
		each(driver.CustomKeyCheck, []HookDefinition{m.AuthCheck})
	}
	each(driver.PostKeyAuth, m.PostKeyAuth)
	each(driver.Post, m.Post)
	each(driver.Response, m.Response)
}

// inactive reports whether the definition is switched off.
func (d *Definition) inactive() bool { return d.Active != nil && !*d.Active }

// check returns an error if the definition cannot be served.
func (d *Definition) check() error {
	target, err := url.Parse(d.Proxy.TargetURL)
	switch {
	case err != nil:
		return fmt.Errorf("proxy.target_url %q: %s", showURL(d.Proxy.TargetURL), urlFault(err))
	case target.Scheme != "http" && target.Scheme != "https":
		return fmt.Errorf("proxy.target_url %q is not an absolute http or https URL", showURL(d.Proxy.TargetURL))
	case target.Hostname() == "" || target.Opaque != "":
		return fmt.Errorf("proxy.target_url %q has no host", showURL(d.Proxy.TargetURL))
	}
	if port := target.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			return fmt.Errorf("proxy.target_url %q has no valid port", showURL(d.Proxy.TargetURL))
		}
	}
	target.Fragment, target.RawFragment = "", "" // never sent
	d.target = target
	return nil
}

// spec returns the spec that hooks receive (contract 3).
func (d *Definition) spec(source string) (map[string]string, error) {
	spec := map[string]string{"OrgID": d.OrgID, "APIID": d.APIID, "bundle_hash": source}
	if len(d.ConfigData) > 0 && !d.ConfigDataDisabled {
		data, err := json.Marshal(d.ConfigData)
		if err != nil {
			return nil, err
		}
		spec["config_data"] = string(data)
	}
	return spec, nil
}
