package host

import (
	"fmt"
	"slices"
)

// policy holds the limits and rights that it grants to a session, in Tyk's file
// format.
type policy struct {
	OrgID            string                 `json:"org_id"`
	Rate             float64                `json:"rate"`
	Per              float64                `json:"per"`
	QuotaMax         int64                  `json:"quota_max"`
	QuotaRenewalRate int64                  `json:"quota_renewal_rate"`
	AccessRights     map[string]accessRight `json:"access_rights"`
	Tags             []string               `json:"tags"`
	Metadata         stringMap              `json:"meta_data"`
	IsInactive       bool                   `json:"is_inactive"`
	Partitions       partitions             `json:"partitions"`
	Smoothing        *smoothing             `json:"smoothing"`
}

// partitions are the parts of a session that a policy decides; none of the first
// four means all of them.
type partitions struct {
	Quota      bool `json:"quota"`
	RateLimit  bool `json:"rate_limit"`
	ACL        bool `json:"acl"`
	Complexity bool `json:"complexity"` // of GraphQL queries: nothing here
	PerAPI     bool `json:"per_api"`    // each API has its own limits
}

func (p partitions) some() bool { return p.Quota || p.RateLimit || p.ACL || p.Complexity }

// policies by their id.
type policies map[string]policy

// loadPolicies reads the file that the settings name; none when they name none.
func loadPolicies(s PolicySettings) (policies, error) {
	if s.Source == "" || s.RecordName == "" {
		return nil, nil
	}
	if s.Source != "file" {
		return nil, fmt.Errorf("policies.policy_source %q: this gateway supports only \"file\"", s.Source)
	}
	data, err := readFile(s.RecordName)
	if err != nil {
		return nil, fmt.Errorf("policies.policy_record_name: %w", err)
	}
	all := policies{}
	if err := decodeFile(s.RecordName, data, &all); err != nil {
		return nil, err
	}
	return all, nil
}

// unknown names what a policy restricts and this gateway cannot enforce; sessions
// with such a policy are refused. (What a right restricts is checked with the
// session's rights, for the API that is asked for.)
func (p *policy) unenforceable() string {
	if p.Smoothing.on() {
		return "smoothing"
	}
	return ""
}

// policyIDs are the session's policies, each once.
func (s *session) policyIDs() []string {
	ids := s.ApplyPolicies
	if len(ids) == 0 && s.ApplyPolicyID != "" {
		ids = []string{s.ApplyPolicyID}
	}
	var once []string
	for _, id := range ids {
		if !slices.Contains(once, id) {
			once = append(once, id)
		}
	}
	return once
}

// apply lets the session's policies decide rate, quota and rights, as Tyk does:
// what a policy decides replaces the session's own, and of several policies the
// most generous one counts, for each API among those that name it. One that does
// not apply is an error: the session is refused.
func (p policies) apply(s *session, org string) error {
	ids := s.policyIDs()
	if len(ids) == 0 {
		s.scopeRights()
		return nil
	}
	m := merge{rights: map[string]accessRight{}}
	for _, id := range ids {
		policy, known := p[id]
		switch {
		case !known:
			return fmt.Errorf("policy %q not found", id)
		case policy.OrgID != "" && org != "" && policy.OrgID != org:
			return fmt.Errorf("policy %q belongs to another organization", id)
		case policy.Partitions.PerAPI && policy.Partitions.some():
			return fmt.Errorf("policy %q combines per_api with other partitions", id)
		case policy.unenforceable() != "":
			return fmt.Errorf("policy %q has %s, which this gateway cannot enforce", id, policy.unenforceable())
		}
		m.add(id, &policy)
		s.IsInactive = s.IsInactive || policy.IsInactive
		for _, tag := range policy.Tags {
			if !slices.Contains(s.Tags, tag) {
				s.Tags = append(s.Tags, tag)
			}
		}
		for name, value := range policy.Metadata {
			if s.Metadata == nil {
				s.Metadata = map[string]string{}
			}
			s.Metadata[name] = value
		}
	}
	return m.applyTo(s)
}
