package host

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// applied applies policies, by id in JSON, to a session in JSON.
func applied(t *testing.T, all map[string]string, text string) (*session, error) {
	t.Helper()
	p := policies{}
	for id, text := range all {
		var one policy
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatal(id, err)
		}
		p[id] = one
	}
	s, err := decodeSession([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s, p.apply(s, "org")
}

func TestPoliciesReplaceWhatTheyDecide(t *testing.T) {
	const own = `"rate": 100, "per": 1, "quota_max": 50, "quota_renewal_rate": 9, "access_rights": {"mine": {"api_id": "mine"}}`
	const limits = `"rate": 2, "per": 10, "quota_max": 5, "quota_renewal_rate": 60`
	const rights = `"access_rights": {"api": {"api_id": "api", "allowed_urls": [{"url": "/a", "methods": ["GET"]}]}}`
	for name, c := range map[string]struct {
		policy string
		apis   string
		want   allowance
	}{
		"everything":   {`{` + limits + `,` + rights + `}`, "api", allowance{2, 10, 5, 60, "", ""}},
		"no rights":    {`{` + limits + `}`, "mine", allowance{2, 10, 5, 60, "", ""}},
		"rate alone":   {`{"partitions": {"rate_limit": true}, ` + limits + `,` + rights + `}`, "mine", allowance{2, 10, 50, 9, "", ""}},
		"quota alone":  {`{"partitions": {"quota": true}, ` + limits + `,` + rights + `}`, "mine", allowance{100, 1, 5, 60, "", ""}},
		"rights alone": {`{"partitions": {"acl": true}, ` + limits + `,` + rights + `}`, "api", allowance{100, 1, 50, 9, "", ""}},
		"each API":     {`{"partitions": {"per_api": true}, ` + limits + `,` + rights + `}`, "api", allowance{2, 10, 5, 60, "p", "p"}},
		"own limit": {`{` + limits + `, "access_rights": {"api": {"limit": {"rate": 7, "per": 8, "quota_max": -1}}}}`,
			"api", allowance{7, 8, -1, 60, "api", "api"}},
	} {
		s, err := applied(t, map[string]string{"p": c.policy}, `{"apply_policies": ["p"], `+own+`}`)
		if err != nil {
			t.Fatal(name, err)
		}
		if len(s.rights) != 1 || len(s.AccessRights) != 1 {
			t.Error(name, s.rights)
		}
		got := s.allowance(c.apis)
		if c.want.quotaMax < 0 {
			got.quotaRenewalRate = c.want.quotaRenewalRate
		}
		if _, named := s.rights[c.apis]; !named || got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestTheMostGenerousOfSeveralPoliciesCounts(t *testing.T) {
	all := map[string]string{
		"a": `{"rate": 10, "per": 1, "quota_max": 5, "quota_renewal_rate": 10, "tags": ["x"], "meta_data": {"n": 1},
		       "access_rights": {"both": {"versions": ["v1"], "allowed_urls": [{"url": "/", "methods": ["GET"]}]}, "a": {}}}`,
		"b": `{"rate": 10, "per": 10, "quota_max": -1, "tags": ["x", "y"],
		       "access_rights": {"both": {"versions": ["v2"], "allowed_urls": [{"url": "/", "methods": ["PUT"]}]}, "b": {}}}`,
	}
	for _, ids := range []string{`["a", "b"]`, `["b", "a"]`, `["a", "b", "a"]`} {
		s, err := applied(t, all, `{"apply_policies": `+ids+`}`)
		if err != nil {
			t.Fatal(err)
		}
		both, a, b := s.allowance("both"), s.allowance("a"), s.allowance("b")
		if both.rate != 10 || both.per != 1 || both.quotaMax != -1 {
			t.Errorf("%+v", both)
		}
		if a.per != 1 || a.quotaMax != 5 || a.rateScope != "a" || b.per != 10 || b.rateScope != "b" {
			t.Errorf("%+v %+v", a, b)
		}
		right := s.rights["both"]
		slices.Sort(right.Versions)
		slices.Sort(right.AllowedURLs[0].Methods)
		if !slices.Equal(right.Versions, []string{"v1", "v2"}) || !slices.Equal(right.AllowedURLs[0].Methods, []string{"GET", "PUT"}) {
			t.Errorf("%+v", right)
		}
		slices.Sort(s.Tags)
		if !slices.Equal(s.Tags, []string{"x", "y"}) || s.Metadata["n"] != "1" {
			t.Errorf("%q %q", s.Tags, s.Metadata)
		}
	}
}

func TestSharedPoliciesAreNotChangedByASession(t *testing.T) {
	p := policies{
		"a": {Tags: []string{"a"}, AccessRights: map[string]accessRight{"api": {AccessDefinition: accessTo("GET")}}},
		"b": {Tags: []string{"b"}, AccessRights: map[string]accessRight{"api": {AccessDefinition: accessTo("PUT")}}},
	}
	before, _ := json.Marshal(p)
	for range 3 {
		s, _ := decodeSession([]byte(`{"apply_policies": ["a", "b"], "tags": ["own"]}`))
		if err := p.apply(s, ""); err != nil {
			t.Fatal(err)
		}
		s.Tags[0], s.rights["api"].AllowedURLs[0].Methods[0] = "changed", "changed"
	}
	if after, _ := json.Marshal(p); string(before) != string(after) {
		t.Errorf("%s\n%s", before, after)
	}
}

func accessTo(method string) driver.AccessDefinition {
	return driver.AccessDefinition{AllowedURLs: []driver.AccessSpec{{URL: "/", Methods: []string{method}}}}
}

func TestAPolicyThatDoesNotApplyRefuses(t *testing.T) {
	for name, c := range map[string]struct{ policy, says string }{
		"missing":      {`{}`, "not found"},
		"organisation": {`{"org_id": "another"}`, "organization"},
		"partitions":   {`{"partitions": {"per_api": true, "quota": true}}`, "per_api"},
		"smoothing":    {`{"rate": 5, "smoothing": {"enabled": true}}`, "smoothing"},
		"no API":       {`{"partitions": {"acl": true}}`, "access to an API"},
	} {
		id := "p"
		if name == "missing" {
			id = "another"
		}
		for _, field := range []string{`"apply_policies": ["p"]`, `"apply_policy_id": "p"`} {
			_, err := applied(t, map[string]string{id: c.policy}, `{`+field+`}`)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	all := map[string]string{"p": `{"partitions": {"per_api": true}, "access_rights": {"a": {}}}`,
		"q": `{"partitions": {"quota": true}, "access_rights": {"a": {}}}`, "off": `{"is_inactive": true}`}
	if _, err := applied(t, all, `{"apply_policies": ["p", "q"]}`); err == nil {
		t.Error("per_api beside partitions")
	}
	for _, text := range []string{`{"apply_policies": ["off"]}`, `{"apply_policies": ["on"], "is_inactive": true}`} {
		all["on"] = `{}`
		if s, err := applied(t, all, text); err != nil || !s.IsInactive {
			t.Error(text, "is active", err)
		}
	}
}
