package host

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A definition may restrict access in ways that this gateway does not support. Such an API
// is refused, because serving it would grant access. Other fields of Tyk that have no effect
// here are reported in one warning.

// restriction is the path of a field; * matches every name.
type restriction struct {
	path   string
	needs  string // a sibling field that enables it, if not empty
	unless string // a sibling field that disables it
}

// authRestrictions are other authentication methods. They do not apply to keyless APIs.
var authRestrictions = []restriction{
	{path: "enable_jwt"}, {path: "use_oauth2"}, {path: "use_openid"}, {path: "use_basic_auth"},
	{path: "enable_signature_checking"}, {path: "use_go_plugin_auth"}, {path: "external_oauth.enabled"},
}

var restrictions = []restriction{
	{path: "use_mutual_tls_auth"},
	{path: "allowed_ips", needs: "enable_ip_whitelisting", unless: "ip_access_control_disabled"},
	{path: "blacklisted_ips", needs: "enable_ip_blacklisting", unless: "ip_access_control_disabled"},
	{path: "global_rate_limit.rate", needs: "per", unless: "disabled"},
	{path: "domain", unless: "domain_disabled"},
	{path: "internal"},
	{path: "graphql.enabled"},
	{path: "pinned_public_keys", unless: "certificate_pinning_disabled"},
	{path: "definition.enabled"},
	{path: "version_data.versions.*.paths.white_list"},
	{path: "version_data.versions.*.paths.black_list"},
	{path: "version_data.versions.*.global_size_limit", unless: "global_size_limit_disabled"},
	// Tyk responds to these paths itself, or blocks requests to them.
	{path: "version_data.versions.*.extended_paths.white_list"},
	{path: "version_data.versions.*.extended_paths.black_list"},
	{path: "version_data.versions.*.extended_paths.validate_json"},
	{path: "version_data.versions.*.extended_paths.validate_request"},
	{path: "version_data.versions.*.extended_paths.size_limits"},
	{path: "version_data.versions.*.extended_paths.rate_limit"},
	{path: "version_data.versions.*.extended_paths.internal"},
	{path: "version_data.versions.*.extended_paths.go_plugin"},
	{path: "version_data.versions.*.extended_paths.persist_graphql"},
	{path: "version_data.versions.*.extended_paths.mock_response"},
	{path: "version_data.versions.*.extended_paths.virtual"},
}

// unsupported are fields that change how Tyk handles a request, but grant no access if they
// are ignored.
var unsupported = []restriction{
	{path: "CORS.enable"}, {path: "cache_options.enable_cache"}, {path: "certificates"}, {path: "client_certificates"},
	{path: "enable_batch_request_support"}, {path: "enable_context_vars"}, {path: "enable_proxy_protocol"},
	{path: "listen_port"}, {path: "request_signing.is_enabled"}, {path: "response_processors"},
	{path: "session_lifetime_respects_key_expiration"}, {path: "tag_headers"},
	{path: "upstream_auth.enabled"}, {path: "upstream_certificates", unless: "upstream_certificates_disabled"},
	{path: "uptime_tests.check_list", unless: "disabled"},
	{path: "proxy.check_host_against_uptime_tests"}, {path: "proxy.disable_strip_slash"},
	{path: "proxy.enable_load_balancing"}, {path: "proxy.service_discovery.use_discovery_service"},
	{path: "proxy.transport"},
	{path: "version_data.versions.*.global_headers", unless: "global_headers_disabled"},
	{path: "version_data.versions.*.global_headers_remove", unless: "global_headers_disabled"},
	{path: "version_data.versions.*.global_response_headers", unless: "global_response_headers_disabled"},
	{path: "version_data.versions.*.global_response_headers_remove", unless: "global_response_headers_disabled"},
	{path: "version_data.versions.*.ignore_endpoint_case"}, {path: "version_data.versions.*.override_target"},
	{path: "version_data.versions.*.paths.ignored"}, {path: "version_data.versions.*.extended_paths.*"},
}

// restrict returns an error if the definition has restrictions that are not supported, and
// sets d.ignored.
func (d *Definition) restrict(data []byte) error {
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		return err
	}
	dropUnusedPaths(fields)
	refused := enabledPaths(fields, restrictions)
	if !d.UseKeyless {
		refused = append(refused, enabledPaths(fields, authRestrictions)...)
		refused = append(refused, d.restrictAuth(fields)...)
	}
	if protocol, _ := get(fields, "protocol").(string); protocol == "tcp" || protocol == "tls" {
		refused = append(refused, "protocol")
	}
	if versioned, is := get(get(fields, "version_data"), "not_versioned").(bool); is && !versioned {
		refused = append(refused, "version_data.not_versioned")
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s: not supported by this gateway, so the API is not served: "+
			"remove it from the definition, or serve the API with Tyk", strings.Join(refused, ", "))
	}
	d.ignored = enabledPaths(fields, unsupported)
	return d.readExpiry(fields)
}

// restrictAuth returns the authentication settings that are not supported.
func (d *Definition) restrictAuth(fields map[string]any) (refused []string) {
	if d.customAuth() && isSet(get(fields, "use_standard_auth")) {
		refused = append(refused, "use_standard_auth with custom authentication")
	}
	source := d.keySource()
	if source.UseCertificate {
		refused = append(refused, "auth.use_certificate")
	}
	if source.ValidateSignature {
		refused = append(refused, "auth.validate_signature")
	}
	if d.StripAuthData && (source.UseParam || source.UseCookie) {
		refused = append(refused, "strip_auth_data with auth.use_param or auth.use_cookie")
	}
	return refused
}

// readExpiry reads the date on which the API expires.
func (d *Definition) readExpiry(fields map[string]any) error {
	dates := []any{get(fields, "expiration")}
	versions, _ := get(get(fields, "version_data"), "versions").(map[string]any)
	for _, version := range versions {
		dates = append(dates, get(version, "expires"))
	}
	for _, date := range dates {
		text, _ := date.(string)
		if text == "" || text == "-1" {
			continue
		}
		expires, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			return fmt.Errorf("expires %q must be a date such as \"2030-01-31 23:59\"", text)
		}
		if d.expires.IsZero() || expires.Before(d.expires) {
			d.expires = expires
		}
	}
	return nil
}

// expired reports whether the API has expired.
func (d *Definition) expired() bool { return !d.expires.IsZero() && !time.Now().Before(d.expires) }

// dropUnusedPaths removes the set of paths that each version does not use.
func dropUnusedPaths(fields map[string]any) {
	versions, _ := get(get(fields, "version_data"), "versions").(map[string]any)
	for _, version := range versions {
		unused := "extended_paths"
		if isSet(get(version, "use_extended_paths")) {
			unused = "paths"
		}
		if fields, is := version.(map[string]any); is {
			for name := range fields {
				if strings.EqualFold(name, unused) {
					delete(fields, name)
				}
			}
		}
	}
}

// enabledPaths returns the sorted paths of the listed fields that are set.
func enabledPaths(fields map[string]any, list []restriction) []string {
	var paths []string
	for _, r := range list {
		r.find(fields, "", r.path, &paths)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (r *restriction) find(in any, at, rest string, paths *[]string) {
	fields, is := in.(map[string]any)
	if !is {
		return
	}
	first, after, nested := strings.Cut(rest, ".")
	for name, value := range fields {
		if first != "*" && !strings.EqualFold(name, first) {
			continue
		}
		path := strings.TrimPrefix(at+"."+name, ".")
		switch {
		case nested:
			r.find(value, path, after, paths)
		case isSet(value) && (r.needs == "" || isSet(get(fields, r.needs))) && (r.unless == "" || !isSet(get(fields, r.unless))):
			*paths = append(*paths, path)
		}
	}
}

// get returns a field. Like encoding/json, it ignores the case of its name.
func get(in any, name string) any {
	fields, _ := in.(map[string]any)
	if value, exact := fields[name]; exact {
		return value
	}
	for other, value := range fields {
		if strings.EqualFold(other, name) {
			return value
		}
	}
	return nil
}

// isSet reports whether a value has an effect: it is not zero or empty, does not consist
// of such values only, and is not disabled.
func isSet(value any) bool {
	switch v := value.(type) {
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return slices.ContainsFunc(v, func(entry any) bool {
			_, text := entry.(string) // an empty one too: [""] allows no address
			return text || isSet(entry)
		})
	case map[string]any:
		if disabled, _ := get(v, "disabled").(bool); disabled {
			return false
		}
		if enabled, is := get(v, "enabled").(bool); is && !enabled {
			return false
		}
		for _, field := range v {
			if isSet(field) {
				return true
			}
		}
	}
	return false
}
