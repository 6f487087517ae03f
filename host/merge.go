package host

import (
	"errors"
	"slices"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// merge combines several policies.
type merge struct {
	session                  apiLimit // limits of the session as a whole
	rate, quota, acl, perAPI bool     // set by at least one policy
	partitioned              bool
	rights                   map[string]accessRight
	grants                   []string // policies that grant rights
}

var (
	errMixed   = errors.New("the policies combine per_api with other partitions")
	errNoRight = errors.New("no policy grants access to an API")
)

func (m *merge) add(id string, p *policy) {
	all := !p.Partitions.some()
	m.perAPI = m.perAPI || p.Partitions.PerAPI
	m.partitioned = m.partitioned || p.Partitions.some()
	var limit apiLimit
	if all || p.Partitions.RateLimit {
		m.rate, limit.Rate, limit.Per = true, p.Rate, p.Per
	}
	if all || p.Partitions.Quota {
		m.quota, limit.QuotaMax, limit.QuotaRenewalRate = true, p.QuotaMax, p.QuotaRenewalRate
	}
	m.session.widen(limit)

	if all && len(p.AccessRights) > 0 || p.Partitions.ACL {
		m.acl = true
		m.grants = append(m.grants, id)
	}
	for api, right := range p.AccessRights {
		if !all && !p.Partitions.ACL {
			right = accessRight{Limit: right.Limit} // its limits apply if another policy grants the API
		}
		m.addRight(id, api, right, limit, p.Partitions.PerAPI)
		if all || p.Partitions.ACL {
			granted := m.rights[api]
			granted.granted = true
			m.rights[api] = granted
		}
	}
}

// addRight adds a policy's access right for one API. The limits are those of the right if
// it has any, or else those of the policy.
func (m *merge) addRight(id, api string, right accessRight, limit apiLimit, perAPI bool) {
	merged, known := m.rights[api]
	if !known {
		merged.Limit = &apiLimit{}
	}
	own := right.Limit != nil && (right.Limit.Rate != 0 || right.Limit.QuotaMax != 0)
	if own {
		if right.Limit.Rate != 0 {
			limit.Rate, limit.Per = right.Limit.Rate, right.Limit.Per
		}
		if right.Limit.QuotaMax != 0 {
			limit.QuotaMax, limit.QuotaRenewalRate = right.Limit.QuotaMax, right.Limit.QuotaRenewalRate
		}
	}
	if right.Limit != nil && right.Limit.Smoothing.on() {
		merged.Limit.Smoothing = right.Limit.Smoothing
	}
	merged.Limit.widen(limit)
	switch {
	case own:
		merged.scope = api
	case perAPI || merged.scope != api:
		merged.scope = id
	}
	if right.APIID != "" || right.APIName != "" {
		merged.APIID, merged.APIName = right.APIID, right.APIName
	}
	merged.Versions = union(merged.Versions, right.Versions)
	for _, allowed := range right.AllowedURLs {
		merged.allow(allowed)
	}
	merged.Unknown = append(merged.Unknown, right.Unknown...)
	merged.RestrictedTypes = append(merged.RestrictedTypes, right.RestrictedTypes...)
	merged.AllowedTypes = append(merged.AllowedTypes, right.AllowedTypes...)
	merged.FieldAccessRights = append(merged.FieldAccessRights, right.FieldAccessRights...)
	merged.Endpoints = append(merged.Endpoints, right.Endpoints...)
	merged.DisableIntrospection = merged.DisableIntrospection || right.DisableIntrospection
	m.rights[api] = merged
}

// applyTo sets the merged limits and rights on the session.
func (m *merge) applyTo(s *session) error {
	if m.perAPI && m.partitioned {
		return errMixed
	}
	if m.rate {
		s.Rate, s.Per = m.session.Rate, m.session.Per
	}
	if m.quota {
		s.QuotaMax, s.QuotaRenewalRate = m.session.QuotaMax, m.session.QuotaRenewalRate
	}
	if !m.acl {
		s.scopeRights()
		return nil
	}
	s.rights = map[string]accessRight{}
	for api, right := range m.rights {
		if !right.granted {
			continue
		}
		// The limits of a single policy apply to all its APIs together.
		if !m.perAPI && len(m.grants) == 1 && right.scope != api {
			right.scope = ""
		}
		s.rights[api] = right
	}
	s.syncRights()
	if len(s.rights) == 0 {
		return errNoRight
	}
	return nil
}

// widen takes the more generous of two limits: the higher rate, the larger quota and the
// longer renewal time. Zero means unset, -1 unlimited.
func (l *apiLimit) widen(other apiLimit) {
	if other.Rate != 0 && (l.Rate == 0 || other.pace() > l.pace()) {
		l.Rate, l.Per = other.Rate, other.Per
	}
	if other.QuotaMax != 0 && l.QuotaMax >= 0 && (other.QuotaMax < 0 || other.QuotaMax > l.QuotaMax) {
		l.QuotaMax = other.QuotaMax
	}
	l.QuotaRenewalRate = max(l.QuotaRenewalRate, other.QuotaRenewalRate)
}

// allow adds a URL, or adds methods to one that is already allowed.
func (r *accessRight) allow(allowed driver.AccessSpec) {
	for i := range r.AllowedURLs {
		if r.AllowedURLs[i].URL == allowed.URL {
			r.AllowedURLs[i].Methods = union(r.AllowedURLs[i].Methods, allowed.Methods)
			return
		}
	}
	r.AllowedURLs = append(r.AllowedURLs, driver.AccessSpec{URL: allowed.URL, Methods: slices.Clone(allowed.Methods)})
}

func union(a, b []string) []string {
	a = slices.Clone(a)
	for _, item := range b {
		if !slices.Contains(a, item) {
			a = append(a, item)
		}
	}
	return a
}
