package host

import (
	"context"
	"net/url"
	"time"
)

// The usage of keys is counted in the store separately from their sessions, so that
// requests never write a session. A counter belongs to a token and a scope: the empty one
// is for the session itself, others are for APIs or policies.

// quotaCounter returns the name of a counter. A scope cannot contain the separator, so the
// counters of different tokens never have the same name.
func quotaCounter(scope, token string) string {
	if scope == "" {
		return "quota-" + token
	}
	return "quota:" + url.QueryEscape(scope) + ":" + token
}

// useQuota counts one request, and sets the remaining quota in the session.
func (s sessions) useQuota(ctx context.Context, token string, session *session, a allowance) (allowed bool, err error) {
	used, left, err := s.store.Count(ctx, quotaCounter(a.quotaScope, token), seconds(a.quotaRenewalRate))
	if err != nil {
		return false, err
	}
	session.setUsage(a, used, left)
	return used <= a.quotaMax, nil
}

// readQuota sets the remaining quota in the session without counting.
func (s sessions) readQuota(ctx context.Context, token string, session *session, a allowance) error {
	if a.quotaMax <= 0 {
		return nil
	}
	used, left, err := s.store.Counted(ctx, quotaCounter(a.quotaScope, token))
	if err == nil {
		session.setUsage(a, used, left)
	}
	return err
}

// readQuotas sets the remaining values of all quotas of a session.
func (s sessions) readQuotas(ctx context.Context, token string, session *session) error {
	renews := session.QuotaRenews
	for api, right := range session.rights {
		a := session.allowance(api)
		if a.quotaMax <= 0 || right.Limit == nil || right.Limit.QuotaMax == 0 {
			continue
		}
		if err := s.readQuota(ctx, token, session, a); err != nil {
			return err
		}
		right.Limit.QuotaRemaining, right.Limit.QuotaRenews = session.QuotaRemaining, session.QuotaRenews
	}
	session.QuotaRemaining, session.QuotaRenews = max(session.QuotaMax, 0), renews
	return s.readQuota(ctx, token, session, session.allowance(""))
}

func (s *session) setUsage(a allowance, used int64, left time.Duration) {
	s.QuotaRemaining = max(a.quotaMax-used, 0)
	if left > 0 {
		s.QuotaRenews = time.Now().Add(left).Unix()
	}
}

// counters returns the names of all quota counters of a key.
func (s *session) counters(token string) []string {
	names := []string{quotaCounter("", token)}
	for api := range s.rights {
		names = append(names, quotaCounter(api, token))
	}
	for _, id := range s.policyIDs() {
		names = append(names, quotaCounter(id, token))
	}
	return names
}
