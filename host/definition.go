package host

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
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

// readDefinition reads one file.
func readDefinition(file string) (*Definition, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := &Definition{file: file}
	if err := decodeFile(file, data, d); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if d.Active != nil && !*d.Active {
		return d, nil
	}
	if err := d.restrict(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return d, nil
}

func (d *Definition) check() error {
	if d.APIID == "" {
		return errors.New("api_id is missing")
	}
	if !strings.HasPrefix(d.Proxy.ListenPath, "/") {
		return fmt.Errorf("proxy.listen_path %q must begin with /", d.Proxy.ListenPath)
	}
	if strings.ContainsAny(d.Proxy.ListenPath, "{}*") {
		return fmt.Errorf("proxy.listen_path %q holds a pattern, which this gateway does not know", d.Proxy.ListenPath)
	}
	target, err := url.Parse(d.Proxy.TargetURL)
	if err != nil || target.Host == "" {
		return fmt.Errorf("proxy.target_url %q is not an absolute URL", showURL(d.Proxy.TargetURL))
	}
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

// readDefinitions reads all definitions of a folder, those that are not active
// left out. Errors name the file; the others are read all the same.
func readDefinitions(folder string) (definitions []*Definition, failed map[string]error, err error) {
	if _, err := os.ReadDir(folder); err != nil {
		return nil, nil, fmt.Errorf("app_path: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, nil, err
	}
	failed = map[string]error{}
	taken := map[string]string{} // api_id or listen path → file
	for _, file := range files {
		d, err := readDefinition(file)
		if err != nil {
			failed[file] = err
			continue
		}
		if d.Active != nil && !*d.Active {
			continue
		}
		id, path := "api_id "+d.APIID, "listen_path "+d.Proxy.ListenPath
		for _, unique := range []string{id, path} {
			if other := taken[unique]; other != "" {
				failed[file] = fmt.Errorf("%s: %s is that of %s already", file, unique, other)
			}
		}
		if failed[file] == nil {
			taken[id], taken[path] = file, file
			definitions = append(definitions, d)
		}
	}
	return definitions, failed, nil
}
