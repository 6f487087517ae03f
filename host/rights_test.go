package host

import (
	"net/http/httptest"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestAllowedURLsAreExpressionsThatMatchInThePath(t *testing.T) {
	for _, c := range []struct {
		url, method, path string
		allowed           bool
	}{
		{"/only", "GET", "/api/only", true},
		{"/only", "GET", "/api/only/deeper", true},
		{"/only", "GET", "/api/other?x=/only", false},
		{"/only", "POST", "/api/only", false},
		{"^/api/only$", "GET", "/api/only", true},
		{"^/api/only$", "GET", "/api/only/deeper", false},
		{"^/only", "GET", "/api/only", false},
		{"/users/{id}$", "GET", "/api/users/5", true},
		{"/users/{id}$", "GET", "/api/users/5/pets", false},
		{"/users/*/pets$", "GET", "/api/users/5/pets", true},
		{"/users/*/pets$", "GET", "/api/users/5/6/pets", false},
		{"/users/*", "GET", "/api/users/5/6", true},
		{"/(", "GET", "/(", false},
		{"", "GET", "/api/", true},
	} {
		right := accessRight{AccessDefinition: driver.AccessDefinition{
			AllowedURLs: []driver.AccessSpec{{URL: "/elsewhere"}, {URL: c.url, Methods: []string{"GET"}}},
		}}
		if got := right.allows(httptest.NewRequest(c.method, c.path, nil)); got != c.allowed {
			t.Errorf("%q: %s %s: %v", c.url, c.method, c.path, got)
		}
	}
}

func TestRightsThatCannotBeEnforcedAreNamed(t *testing.T) {
	for field, value := range map[string]string{
		"restricted_types": `[{"name": "Query"}]`, "allowed_types": `[{"name": "Query"}]`, "field_access_rights": `[{"type_name": "Q"}]`,
		"disable_introspection": `true`, "endpoints": `[{"path": "/"}]`,
	} {
		s, err := decodeSession([]byte(`{"access_rights": {"api": {"` + field + `": ` + value + `}}}`))
		if err != nil {
			t.Fatal(err)
		}
		right := s.rights["api"]
		if right.unenforceable() != field {
			t.Errorf("%s: %q", field, right.unenforceable())
		}
	}
	right := accessRight{AccessDefinition: driver.AccessDefinition{Unknown: []byte{1}}}
	if right.unenforceable() == "" {
		t.Error("fields that are not known to this version")
	}
	for text, name := range map[string]string{
		`{"smoothing": {"enabled": true}}`: "smoothing", `{"smoothing": {"enabled": false}}`: "",
		`{"mtls_static_certificate_bindings": ["c"]}`: "mtls_static_certificate_bindings", `{"mtls_static_certificate_bindings": []}`: "",
	} {
		if s, err := decodeSession([]byte(text)); err != nil || s.unenforceable() != name {
			t.Error(text, s.unenforceable(), err)
		}
	}
}

func TestALimitOfAnAPIWinsOverTheSessionsPartByPart(t *testing.T) {
	s, err := decodeSession([]byte(`{"rate": 5, "per": 1, "quota_max": 10, "quota_renewal_rate": 60, "access_rights": {
		"rate": {"limit": {"rate": 1, "per": 2}}, "quota": {"limit": {"quota_max": 3, "quota_renewal_rate": 4}},
		"unlimited": {"limit": {"rate": -1, "quota_max": -1}}, "null": {"limit": null}, "none": {}}}`))
	if err != nil {
		t.Fatal(err)
	}
	s.scopeRights()
	for api, want := range map[string]allowance{
		"rate": {1, 2, 10, 60, "rate", ""}, "quota": {5, 1, 3, 4, "", "quota"},
		"unlimited": {-1, 0, -1, 0, "unlimited", "unlimited"}, "null": {5, 1, 10, 60, "", ""}, "none": {5, 1, 10, 60, "", ""},
	} {
		if got := s.allowance(api); got != want {
			t.Errorf("%s: %+v", api, got)
		}
	}
}
