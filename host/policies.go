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

// partitions are the parts of a session that a policy sets. If none of the first four is
// set, the policy sets all of them.
type partitions struct {
	Quota      bool `json:"quota"`
	RateLimit  bool `json:"rate_limit"`
	ACL        bool `json:"acl"`
	Complexity bool `json:"complexity"` // of GraphQL queries: not supported
	PerAPI     bool `json:"per_api"`    // each API has its own limits
}

func (p partitions) some() bool { return p.Quota || p.RateLimit || p.ACL || p.Complexity }

// policies maps ids to policies.
type policies map[string]policy

// loadPolicies reads the policies file, if the settings name one.
func loadPolicies(s PolicySettings) (policies, error) {
	if s.RecordName == "" {
		return nil, nil
	}
	if !s.fromFile() {
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

// unenforceable names a restriction of the policy that this gateway cannot enforce;
// sessions with such a policy are refused. (Access rights are checked with the session,
// for the requested API.)
func (p *policy) unenforceable() string {
	if p.Smoothing.on() {
		return "smoothing"
	}
	return ""
}

// policyIDs returns the ids of the session's policies without duplicates.
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

// apply sets rate, quota and rights of the session from its policies, as Tyk does: they
// replace the session's own, and among several policies the most generous one counts, for
// each API among those that name it. If a policy cannot be applied, apply returns an error
// and the session must be refused.
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
