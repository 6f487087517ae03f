package host

import (
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/jellydator/ttlcache/v3"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// accessRight is a key's access right for one API, in Tyk's JSON format.
type accessRight struct {
	driver.AccessDefinition
	Limit *apiLimit `json:"limit,omitempty"`

	// Restrictions that this gateway does not support (see unenforceable).
	RestrictedTypes      []json.RawMessage `json:"restricted_types,omitempty"`
	AllowedTypes         []json.RawMessage `json:"allowed_types,omitempty"`
	FieldAccessRights    []json.RawMessage `json:"field_access_rights,omitempty"`
	DisableIntrospection bool              `json:"disable_introspection,omitempty"`
	Endpoints            []json.RawMessage `json:"endpoints,omitempty"`

	scope   string // of the counters for limit
	granted bool   // by a policy, while merging policies
}

// apiLimit is a limit for one API. Zero means that the session's own limit applies; a rate
// or quota of -1 is unlimited.
type apiLimit struct {
	Rate             float64    `json:"rate"`
	Per              float64    `json:"per"`
	QuotaMax         int64      `json:"quota_max"`
	QuotaRenewalRate int64      `json:"quota_renewal_rate"`
	QuotaRemaining   int64      `json:"quota_remaining"`
	QuotaRenews      int64      `json:"quota_renews"`
	Smoothing        *smoothing `json:"smoothing,omitempty"`
}

// pace returns the rate in requests per second; infinity if it is unlimited.
func (l *apiLimit) pace() float64 {
	if l.Rate < 0 {
		return math.Inf(1)
	}
	return l.Rate / perSeconds(l.Per)
}

// unenforceable names a restriction that this gateway cannot enforce, if there is one.
func (r *accessRight) unenforceable() string {
	switch {
	case len(r.Unknown) > 0:
		return "fields that are not known to this version"
	case len(r.RestrictedTypes) > 0:
		return "restricted_types"
	case len(r.AllowedTypes) > 0:
		return "allowed_types"
	case len(r.FieldAccessRights) > 0:
		return "field_access_rights"
	case r.DisableIntrospection:
		return "disable_introspection"
	case len(r.Endpoints) > 0:
		return "endpoints"
	case r.Limit != nil && r.Limit.Smoothing.on():
		return "limit.smoothing"
	}
	return ""
}

// unenforceable is like accessRight.unenforceable, for the whole session.
func (s *session) unenforceable() string {
	switch {
	case s.smoothed:
		return "smoothing"
	case len(s.certificates) > 0:
		return "mtls_static_certificate_bindings"
	}
	return ""
}

// allowance holds the limits of a session for one API, and the scopes of their counters.
type allowance struct {
	rate, per                  float64
	quotaMax, quotaRenewalRate int64
	rateScope, quotaScope      string
}

// allowance returns the limits of the session for an API: those of the access right, or
// else the session's own.
func (s *session) allowance(api string) allowance {
	a := allowance{rate: s.Rate, per: s.Per, quotaMax: s.QuotaMax, quotaRenewalRate: s.QuotaRenewalRate}
	right, named := s.rights[api]
	if !named || right.Limit == nil {
		return a
	}
	scope := right.scope
	if l := right.Limit; l.Rate != 0 {
		a.rate, a.per, a.rateScope = l.Rate, l.Per, scope
	}
	if l := right.Limit; l.QuotaMax != 0 {
		a.quotaMax, a.quotaRenewalRate, a.quotaScope = l.QuotaMax, l.QuotaRenewalRate, scope
	}
	return a
}

// scopeRights gives each access right its own counters.
func (s *session) scopeRights() {
	for api, right := range s.rights {
		right.scope = api
		s.rights[api] = right
	}
}

// checkAccess reports whether the session's access rights, if it has any, allow the
// request; if not, message is the error for the client.
func (x *exchange) checkAccess(s *session) (message string, allowed bool) {
	const noAPI = "Access to this API has been disallowed"
	unknown := s.unenforceable()
	right, named := s.rights[x.api.APIID]
	if named && unknown == "" {
		unknown = right.unenforceable()
	}
	switch {
	case len(s.rights) > 0 && !named:
		return noAPI, false
	case unknown != "":
		x.api.log.Warn("session refused: this gateway cannot enforce "+unknown, "key", keyName(x.token))
		return noAPI, false
	case !right.allows(x.r):
		return "Access to this resource has been disallowed", false
	}
	return "", true
}

// allows reports whether allowed_urls, if there are any, include the request's method and
// path. A url is a regular expression that may match anywhere in the path, which includes
// the listen path.
func (r *accessRight) allows(request *http.Request) bool {
	if len(r.AllowedURLs) == 0 {
		return true
	}
	for _, allowed := range r.AllowedURLs {
		if !slices.Contains(allowed.Methods, request.Method) {
			continue
		}
		if pattern := pathPattern(allowed.URL); pattern != nil && pattern.MatchString(request.URL.Path) {
			return true
		}
	}
	return false
}

// pathPatterns caches compiled urls; nil stands for an invalid one.
var pathPatterns = ttlcache.New(ttlcache.WithCapacity[string, *regexp.Regexp](1000), ttlcache.WithTTL[string, *regexp.Regexp](time.Hour))

var pathParameter = regexp.MustCompile(`{[^}]+}`)

// pathPattern compiles the url of an access right: {name} matches one segment, * matches
// one segment within the path and everything at its end.
func pathPattern(url string) *regexp.Regexp {
	if item := pathPatterns.Get(url); item != nil {
		return item.Value()
	}
	text := url
	if n := strings.Count(text, "{"); n > 0 && n == strings.Count(text, "}") {
		text = pathParameter.ReplaceAllString(text, `([^/]+)`)
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "/*/", "/[^/]+/"), "/*", "/.*")
	pattern, err := regexp.Compile(text)
	if err != nil {
		pattern = nil // matches nothing
	}
	pathPatterns.Set(url, pattern, ttlcache.DefaultTTL)
	return pattern
}
