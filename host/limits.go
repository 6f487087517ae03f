package host

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/jellydator/ttlcache/v3"
	"github.com/tyk-cffi/tyk-cffi/driver"
	"golang.org/x/time/rate"
)

// limit checks what a session allows: expiry, access rights, rate and quota.
func (x *exchange) limit() bool {
	s := x.session
	if s == nil {
		return true
	}
	now := time.Now()
	switch {
	case s.IsInactive:
		x.deny(http.StatusForbidden, "Key is inactive, please renew", x.token)
	case s.Expires > 0 && s.Expires < now.Unix():
		x.refuse("KeyExpired", "Attempted access from expired key.", http.StatusUnauthorized, "Key has expired, please renew")
	case !x.mayUse(s):
		x.deny(http.StatusForbidden, "Access to this API has been disallowed", x.token)
	default:
		return x.limitRate(s) && x.limitQuota(s, now)
	}
	return false
}

// mayUse tells whether the session's rights, if it has any, hold this API.
func (x *exchange) mayUse(s *driver.Session) bool {
	if len(s.AccessRights) == 0 {
		return true
	}
	if _, named := s.AccessRights[x.api.APIID]; named {
		return true
	}
	var ids []string
	for _, right := range s.AccessRights {
		ids = append(ids, right.APIID)
	}
	return slices.Contains(ids, x.api.APIID)
}

func (x *exchange) limitRate(s *driver.Session) bool {
	if s.Rate <= 0 || s.Per <= 0 {
		return true
	}
	allowed, err := x.api.limits.allow(x.r.Context(), x.token, s.Rate, s.Per)
	if err != nil {
		return x.storeFailed(err)
	}
	if !allowed {
		x.refuse("RatelimitExceeded", "Key Rate Limit Exceeded", http.StatusTooManyRequests, "Rate limit exceeded")
	}
	return allowed
}

// limitQuota counts the request. The counter lives in the store beside the
// session, so a new session for the same token goes on with it.
func (x *exchange) limitQuota(s *driver.Session, now time.Time) bool {
	if s.QuotaMax <= 0 {
		return true
	}
	renewal := time.Duration(max(s.QuotaRenewalRate, 0)) * time.Second
	used, err := x.api.sessions.store.Increment(x.r.Context(), "quota-"+x.token, renewal)
	if err != nil {
		return x.storeFailed(err)
	}
	before := *s
	s.QuotaRemaining = max(s.QuotaMax-used, 0)
	if used == 1 && renewal > 0 {
		s.QuotaRenews = now.Add(renewal).Unix()
	}
	if before.QuotaRemaining != s.QuotaRemaining || before.QuotaRenews != s.QuotaRenews {
		if err := x.api.sessions.put(x.r.Context(), x.token, s, x.api.SessionLifetime); err != nil {
			return x.storeFailed(err)
		}
	}
	if used > s.QuotaMax {
		x.refuse("QuotaExceeded", "Key Quota Limit Exceeded", http.StatusForbidden, "Quota exceeded")
		return false
	}
	return true
}

// refuse answers a request that is over a limit, and tells of it.
func (x *exchange) refuse(event, meta string, status int, message string) {
	x.fire(event, meta, x.token)
	writeError(x.w, status, message)
}

// limits counts requests of keys: in Redis for all gateways together, or here.
type limits struct {
	shared *redis_rate.Limiter
	local  *ttlcache.Cache[string, *rate.Limiter]
}

func newLimits(store Store) *limits {
	if r, ok := store.(*redisStore); ok {
		return &limits{shared: redis_rate.NewLimiter(r.client)}
	}
	local := ttlcache.New(ttlcache.WithTTL[string, *rate.Limiter](time.Hour))
	go local.Start()
	return &limits{local: local}
}

// allow tells whether a key may make one more of its count requests in per seconds.
func (l *limits) allow(ctx context.Context, token string, count, per float64) (bool, error) {
	if l.shared != nil {
		result, err := l.shared.Allow(ctx, "rate-limit-"+token, redis_rate.Limit{
			Rate: int(max(count, 1)), Burst: int(max(count, 1)), Period: time.Duration(per * float64(time.Second)),
		})
		if err != nil {
			return false, errors.New("rate limit: " + err.Error())
		}
		return result.Allowed > 0, nil
	}
	item, found := l.local.GetOrSet(token, rate.NewLimiter(rate.Limit(count/per), int(max(count, 1))))
	limiter := item.Value()
	if found && (limiter.Limit() != rate.Limit(count/per) || limiter.Burst() != int(max(count, 1))) {
		limiter.SetLimit(rate.Limit(count / per))
		limiter.SetBurst(int(max(count, 1)))
	}
	return limiter.Allow(), nil
}
