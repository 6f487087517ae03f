package host

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Definition is a classic API definition, the parts that matter here; unknown
// fields are no error.
type Definition struct {
	Name                    string                `json:"name"`
	APIID                   string                `json:"api_id"`
	OrgID                   string                `json:"org_id"`
	Active                  *bool                 `json:"active"` // the samples do not say: then it is
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
	expires time.Time // zero: never
	ignored []string  // fields of Tyk's that this gateway does not act on
	refused error     // why it is not served; its listen path answers 500 then
}

// CustomMiddleware lists the hooks of an API; a bundle's manifest has one too.
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

// EventHandlers say which handlers an event has.
type EventHandlers struct {
	Events map[string][]EventHandler `json:"events"`
}

// EventHandler is cp_dynamic_handler and the function that it calls.
type EventHandler struct {
	Name string `json:"handler_name"`
	Meta struct {
		Name string `json:"name"`
	} `json:"handler_meta"`
}

// customAuth tells whether a hook authenticates.
func (d *Definition) customAuth() bool {
	return (d.EnableCoprocessAuth || d.CustomPluginAuthEnabled) && !d.UseKeyless
}

// usesBundle tells whether the API's hooks come from a bundle.
func (d *Definition) usesBundle() bool { return d.Bundle != "" && !d.BundleDisabled }

// hooks calls f for each enabled hook, in the order in which they run.
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

// inactive tells whether the definition says that it is not served.
func (d *Definition) inactive() bool { return d.Active != nil && !*d.Active }

// check tells what is wrong with a definition that has an id and a listen path.
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

// spec is what hooks get as spec.
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
