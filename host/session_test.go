package host

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestMetadataOfAnyKindIsText(t *testing.T) {
	s, err := decodeSession([]byte(`{"meta_data": {"text": "t", "number": 12345678901234567890, "on": true, "none": null,
		"list": [1, "a"], "object": {"b": {"c": 1.5}, "a": "<"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"text": "t", "number": "12345678901234567890", "on": "true", "none": "null",
		"list": `[1,"a"]`, "object": `{"a":"\u003c","b":{"c":1.5}}`}
	if !reflect.DeepEqual(s.Metadata, want) {
		t.Errorf("%q", s.Metadata)
	}
}

func TestASessionComesThroughItsStoredForm(t *testing.T) {
	made := newSession(&driver.Session{
		Rate: 2.5, Metadata: map[string]string{"token": "t"}, Unknown: []byte{1}, Tags: []string{"a"},
		AccessRights: map[string]driver.AccessDefinition{"api": {
			APIID: "api", Versions: []string{"Default"}, AllowedURLs: []driver.AccessSpec{{URL: "/a", Methods: []string{"GET"}}},
		}},
	})
	data, err := made.encode()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := decodeSession(data)
	if err != nil || !reflect.DeepEqual(stored.Session, made.Session) || !reflect.DeepEqual(stored.rights, made.rights) {
		t.Errorf("%s\n%+v\n%+v: %v", data, stored, made, err)
	}
}

func TestSessionsOfEarlierVersionsAndOfTykAreRead(t *testing.T) {
	for _, text := range []string{
		`{"rate":5,"per":1,"quota_remaining":3,"quota_renews":9,"meta_data":{"a":"b"},"unknown_fields":"2gUFBWxhdGVy"}`,
		`{"rate":5,"per":1,"allowance":5,"throttle_interval":-1,"throttle_retry_limit":-1,"max_query_depth":-1,"quota_max":-1,
		  "access_rights":{"api":{"api_id":"api","versions":["Default"],"allowed_urls":null,"restricted_types":null,
		  "allowed_types":[],"field_access_rights":[],"disable_introspection":false,"allowance_scope":"","endpoints":null,
		  "limit":{"rate":0,"per":0,"throttle_interval":0,"throttle_retry_limit":0,"max_query_depth":0,"quota_max":0,
		  "quota_renews":0,"quota_remaining":0,"quota_renewal_rate":0}}},"basic_auth_data":{"password":"","hash_type":""},
		  "jwt_data":{"secret":""},"monitor":{"trigger_limits":null},"date_created":"0001-01-01T00:00:00Z","smoothing":null}`,
	} {
		s, err := decodeSession([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		s.scopeRights()
		right := s.rights["api"]
		if s.unenforceable() != "" || right.unenforceable() != "" {
			t.Error("refused for", s.unenforceable(), right.unenforceable())
		}
		if a := s.allowance("api"); a.rate != 5 || a.per != 1 || a.quotaMax > 0 || a.rateScope != "" {
			t.Errorf("%+v", a)
		}
	}
}

func TestNumbersThatAreNoneAreRefused(t *testing.T) {
	for _, s := range []driver.Session{{Rate: math.NaN()}, {Per: math.Inf(1)}, {Rate: math.Inf(-1)}, {Allowance: math.NaN()}} {
		if err := newSession(&s).check(); err == nil {
			t.Errorf("%+v", s)
		}
	}
	if err := newSession(&driver.Session{Rate: -1, Per: 1e300}).check(); err != nil {
		t.Error(err)
	}
}

func TestNoPeriodOverflows(t *testing.T) {
	for _, n := range []int64{math.MaxInt64, 18446744074, 9223372037, 1 << 40} {
		if d := seconds(n); d < 99*365*24*time.Hour {
			t.Error(n, d)
		}
	}
	if seconds(int64(-5)) != 0 || seconds(int64(math.MinInt64)) != 0 || seconds(int64(60)) != time.Minute || seconds(0.25) != time.Second/4 {
		t.Error("seconds")
	}
}

func TestShownSessionsKeepFieldsThatAreNotKnown(t *testing.T) {
	stored := []byte(`{"rate": 5, "date_created": "2026-01-01T00:00:00Z", "throttle_interval": 2, "meta_data": {"n": 1}}`)
	s, err := decodeSession(stored)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := sessions{}.show(stored, s)
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(shown)
	for _, part := range []string{`"rate":5`, `"date_created":"2026-01-01T00:00:00Z"`, `"throttle_interval":2`, `"meta_data":{"n":1}`} {
		if !strings.Contains(string(data), part) {
			t.Error(part, "is not in", string(data))
		}
	}
}

func TestCountersOfOneTokenAreNotThoseOfAnother(t *testing.T) {
	seen := map[string][2]string{}
	for _, scope := range []string{"", "a", "a-b", "a:b", "a%3Ab", "quota"} {
		for _, token := range []string{"t", "b-t", "b:t", ":t", "a:t", "a-t"} {
			for _, name := range []string{quotaCounter(scope, token), rateCounter(scope, token)} {
				if other, taken := seen[name]; taken {
					t.Errorf("%q is that of %q and of %q", name, other, [2]string{scope, token})
				}
				seen[name] = [2]string{scope, token}
			}
		}
	}
}
