package host

import (
	"net/http"
	"time"
)

// limit checks the session: expiry, access rights, rate and quota.
func (x *exchange) limit() bool {
	s := x.session
	if s == nil {
		return true
	}
	switch {
	case s.IsInactive:
		x.deny(http.StatusForbidden, "Key is inactive, please renew", x.token)
		return false
	case s.Expires > 0 && s.Expires < time.Now().Unix():
		x.refuse("KeyExpired", "Attempted access from expired key.", http.StatusUnauthorized, "Key has expired, please renew")
		return false
	}
	if message, allowed := x.checkAccess(s); !allowed {
		x.deny(http.StatusForbidden, message, x.token)
		return false
	}
	if x.api.StripAuthData {
		x.r.Header.Del(x.api.keySource().headerName())
	}
	a := s.allowance(x.api.APIID)
	return x.limitRate(a) && x.limitQuota(s, a)
}

func (x *exchange) limitRate(a allowance) bool {
	if a.rate <= 0 || x.api.DisableRateLimit {
		return true
	}
	allowed, err := x.api.limits.allow(x.r.Context(), rateCounter(a.rateScope, x.token), a.rate, a.per)
	if err != nil {
		return x.storeFailed(err)
	}
	if !allowed {
		x.refuse("RatelimitExceeded", "Key Rate Limit Exceeded", http.StatusTooManyRequests, "Rate limit exceeded")
	}
	return allowed
}

// limitQuota counts the request. The store keeps the counter separately from the session,
// so that a new session for the same token continues with it.
func (x *exchange) limitQuota(s *session, a allowance) bool {
	if a.quotaMax <= 0 || x.api.DisableQuota {
		return true
	}
	allowed, err := x.api.sessions.useQuota(x.r.Context(), x.token, s, a)
	if err != nil {
		return x.storeFailed(err)
	}
	if !allowed {
		x.refuse("QuotaExceeded", "Key Quota Limit Exceeded", http.StatusForbidden, "Quota exceeded")
	}
	return allowed
}

// refuse rejects a request that exceeds a limit, and fires the event.
func (x *exchange) refuse(event, meta string, status int, message string) {
	x.fire(event, meta, x.token)
	writeError(x.w, status, message)
}
