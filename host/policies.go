package host

import (
	"fmt"
	"os"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// policy is what it makes of a session, in Tyk's file format.
type policy struct {
	Rate             float64                            `json:"rate"`
	Per              float64                            `json:"per"`
	QuotaMax         int64                              `json:"quota_max"`
	QuotaRenewalRate int64                              `json:"quota_renewal_rate"`
	AccessRights     map[string]driver.AccessDefinition `json:"access_rights"`
	Tags             []string                           `json:"tags"`
	IsInactive       bool                               `json:"is_inactive"`
	Partitions       struct {
		Quota     bool `json:"quota"`
		RateLimit bool `json:"rate_limit"`
		ACL       bool `json:"acl"`
	} `json:"partitions"`
}

// policies by their id.
type policies map[string]policy

// loadPolicies reads the file that the settings name; none when they name none.
func loadPolicies(s PolicySettings) (policies, error) {
	if s.Source == "" || s.RecordName == "" {
		return nil, nil
	}
	if s.Source != "file" {
		return nil, fmt.Errorf("policies.policy_source %q: this gateway reads policies from a file", s.Source)
	}
	data, err := os.ReadFile(s.RecordName)
	if err != nil {
		return nil, fmt.Errorf("policies.policy_record_name: %w", err)
	}
	all := policies{}
	return all, decodeFile(s.RecordName, data, &all)
}

// apply lets the session's policies decide rate, quota and rights; a policy with
// partitions decides those parts only.
func (p policies) apply(s *driver.Session) error {
	ids := s.ApplyPolicies
	if len(ids) == 0 && s.ApplyPolicyID != "" {
		ids = []string{s.ApplyPolicyID}
	}
	for _, id := range ids {
		policy, known := p[id]
		if !known {
			return fmt.Errorf("there is no policy %q", id)
		}
		all := !policy.Partitions.Quota && !policy.Partitions.RateLimit && !policy.Partitions.ACL
		if all || policy.Partitions.RateLimit {
			s.Rate, s.Per = policy.Rate, policy.Per
		}
		if all || policy.Partitions.Quota {
			s.QuotaMax, s.QuotaRenewalRate = policy.QuotaMax, policy.QuotaRenewalRate
		}
		if all || policy.Partitions.ACL {
			if s.AccessRights == nil {
				s.AccessRights = map[string]driver.AccessDefinition{}
			}
			for api, right := range policy.AccessRights {
				s.AccessRights[api] = right
			}
		}
		s.Tags = append(s.Tags, policy.Tags...)
		s.IsInactive = s.IsInactive || policy.IsInactive
	}
	return nil
}
