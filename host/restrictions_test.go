package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// readFields reads a definition with further fields; keyed ones are not keyless.
func readFields(t *testing.T, fields string) (*Definition, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "d.json")
	text := `{"api_id": "1", "proxy": {"listen_path": "/a/", "target_url": "http://u/"}` + fields + `}`
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return readDefinition(file)
}

// version is version_data with one version that has these fields.
func version(fields string) string {
	return `"version_data": {"not_versioned": true, "versions": {"Default": {"use_extended_paths": true, ` + fields + `}}}`
}

func extended(list, entry string) string {
	return version(`"extended_paths": {"` + list + `": [` + entry + `]}`)
}

const onePath = `{"path": "/x", "method": "GET"}`

func TestAnAPIThatCannotBeRestrictedIsRefusedByName(t *testing.T) {
	for fields, name := range map[string]string{
		`"enable_jwt": true`: "enable_jwt", `"Enable_JWT": true`: "Enable_JWT", `"use_oauth2": true`: "use_oauth2",
		`"use_openid": true`: "use_openid", `"use_basic_auth": true`: "use_basic_auth", `"use_go_plugin_auth": true`: "use_go_plugin_auth",
		`"enable_signature_checking": true`:                                            "enable_signature_checking",
		`"external_oauth": {"enabled": true}`:                                          "external_oauth.enabled",
		`"use_mutual_tls_auth": true`:                                                  "use_mutual_tls_auth",
		`"enable_ip_whitelisting": true, "allowed_ips": ["1.2.3.4"]`:                   "allowed_ips",
		`"enable_ip_whitelisting": true, "allowed_ips": [""]`:                          "allowed_ips",
		`"version_data": {"not_versioned": false}`:                                     "not_versioned",
		`"version_data": {"not_versioned": false, "versions": {"a": {"name": ""}}}`:    "not_versioned",
		`"enable_ip_blacklisting": true, "blacklisted_ips": ["1.2.3.4"]`:               "blacklisted_ips",
		`"global_rate_limit": {"rate": 5, "per": 1}`:                                   "global_rate_limit.rate",
		`"domain": "example.org"`:                                                      "domain",
		`"internal": true`:                                                             "internal",
		`"protocol": "tcp"`:                                                            "protocol",
		`"graphql": {"enabled": true}`:                                                 "graphql.enabled",
		`"pinned_public_keys": {"*": "id"}`:                                            "pinned_public_keys",
		`"definition": {"enabled": true}`:                                              "definition.enabled",
		`"auth": {"use_certificate": true}`:                                            "auth.use_certificate",
		`"auth": {"validate_signature": true}`:                                         "auth.validate_signature",
		`"auth_configs": {"authToken": {"use_certificate": true}}`:                     "auth.use_certificate",
		`"enable_coprocess_auth": true, "use_standard_auth": true`:                     "use_standard_auth",
		`"strip_auth_data": true, "auth": {"use_param": true}`:                         "strip_auth_data",
		`"version_data": {"not_versioned": false, "versions": {"v1": {"name": "v1"}}}`: "not_versioned",
		version(`"global_size_limit": 100`):                                            "global_size_limit",
		`"version_data": {"not_versioned": true, "versions": {"Default": {"paths": {"black_list": ["/x"]}}}}`: "paths.black_list",
		extended("white_list", onePath): "white_list", extended("black_list", onePath): "black_list",
		extended("validate_json", onePath): "validate_json", extended("size_limits", onePath): "size_limits",
		extended("rate_limit", onePath): "rate_limit", extended("validate_request", `{"enabled": true, "path": "/x"}`): "validate_request",
		extended("internal", onePath): "internal", extended("virtual", onePath): "virtual", extended("mock_response", onePath): "mock_response",
		version(`"expires": "tomorrow"`): "expires",
	} {
		_, err := readFields(t, ", "+fields)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "d.json") {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func TestWhatIsOffRestrictsNothing(t *testing.T) {
	for _, fields := range []string{
		`"enable_jwt": false, "jwt_source": "x", "use_keyless": false`,
		`"use_keyless": true, "enable_jwt": true`,
		`"active": false, "use_oauth2": true`,
		`"enable_ip_whitelisting": false, "allowed_ips": ["1.2.3.4"]`,
		`"enable_ip_whitelisting": true, "allowed_ips": []`,
		`"enable_ip_whitelisting": true, "allowed_ips": ["1.2.3.4"], "ip_access_control_disabled": true`,
		`"global_rate_limit": {"rate": 5, "per": 1, "disabled": true}`,
		`"global_rate_limit": {"rate": 0, "per": 0}`,
		`"domain": "example.org", "domain_disabled": true`,
		`"graphql": {"enabled": false, "schema": "type Query {a: Int}"}`,
		`"pinned_public_keys": {}, "client_certificates": null, "protocol": ""`,
		`"auth_configs": {"jwt": {"use_certificate": true}}`,
		extended("black_list", `{"path": "/x", "disabled": true}`),
		extended("validate_request", `{"path": "/x", "enabled": false}`),
		`"version_data": {"not_versioned": true, "versions": {"Default": {"extended_paths": {"black_list": [` + onePath + `]}}}}`,
		version(`"paths": {"black_list": ["/x"]}`), version(`"expires": "-1"`), version(`"expires": "3000-01-02 15:04"`),
	} {
		if d, err := readFields(t, ", "+fields); err != nil || len(d.ignored) > 0 || d.expired() {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func TestWhatIsNotActedOnIsNamed(t *testing.T) {
	d, err := readFields(t, `, "CORS": {"enable": true}, "enable_batch_request_support": true, "slug": "s", "do_not_track": true,
		"notifications": {"shared_secret": "s"}, "note_of_mine": {"a": 1}, `+extended("transform_headers", onePath))
	want := "CORS.enable, enable_batch_request_support, version_data.versions.Default.extended_paths.transform_headers"
	if got := strings.Join(d.ignored, ", "); err != nil || got != want {
		t.Errorf("%s: %v", got, err)
	}
}

func TestAnAPIIsServedUntilItExpires(t *testing.T) {
	at := func(d time.Duration) string { return time.Now().UTC().Add(d).Format("2006-01-02 15:04") }
	for fields, expired := range map[string]bool{
		fmt.Sprintf(`"expiration": %q`, at(-time.Hour)):                            true,
		fmt.Sprintf(`"expiration": %q`, at(time.Hour)):                             false,
		version(fmt.Sprintf(`"expires": %q`, at(-time.Hour))):                      true,
		fmt.Sprintf(`"expiration": %q, `, at(-time.Hour)) + version(`"name": "a"`): true,
	} {
		if d, err := readFields(t, ", "+fields); err != nil || d.expired() != expired {
			t.Error(fields, err)
		}
	}
}

func TestTheSamplesAreServed(t *testing.T) {
	files, err := filepath.Glob("../apps/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("no samples", err)
	}
	for _, file := range files {
		d, err := readDefinition(file)
		if err != nil || d.expired() || strings.Join(d.ignored, ", ") != "enable_batch_request_support" {
			t.Errorf("%s: %+v: %v", file, d, err)
		}
	}
}
