package host

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	"github.com/jellydator/ttlcache/v3"
)

// limits enforces the rates of keys, in Redis for all gateways together, or locally. Both
// use the generic cell rate algorithm: a key may send as many requests at once as its
// rate allows, and further ones over time.
type limits struct {
	shared *redis_rate.Limiter

	mu    sync.Mutex
	local *ttlcache.Cache[string, time.Time] // when a key will have its full rate again
}

func newLimits(store Store) *limits {
	if r, ok := store.(*redisStore); ok {
		return &limits{shared: redis_rate.NewLimiter(r.client)}
	}
	local := ttlcache.New(ttlcache.WithDisableTouchOnHit[string, time.Time]())
	go local.Start()
	return &limits{local: local}
}

// rateCounter returns the name of a rate's counter. A scope cannot contain the separator.
func rateCounter(scope, token string) string {
	if scope == "" {
		return "rate-limit-" + token
	}
	return "rate-limit:" + url.QueryEscape(scope) + ":" + token
}

const (
	// maxBurst bounds how many requests a key may send at once.
	maxBurst = 1e9
	// minInterval is the interval below which a rate is not limited.
	minInterval = time.Nanosecond
	// maxInterval bounds the interval. Redis computes with doubles, in seconds since 2017:
	// a much longer one rounds so far that a first request is refused at random.
	maxInterval = 365 * 24 * time.Hour
)

// perSeconds returns the period of a rate in seconds, by default 1.
func perSeconds(per float64) float64 {
	if per <= 0 {
		return 1
	}
	return per
}

// pace converts a rate to the interval between requests and the burst. A rate below 1
// allows one request in a longer interval.
func pace(count, per float64) (interval time.Duration, burst int) {
	return min(seconds(perSeconds(per)/count), maxInterval), int(min(max(count, 1), maxBurst))
}

// allow reports whether a key may send one more of its count requests in per seconds.
func (l *limits) allow(ctx context.Context, key string, count, per float64) (bool, error) {
	interval, burst := pace(count, per)
	if interval < minInterval {
		return true, nil
	}
	if l.shared != nil {
		result, err := l.shared.Allow(ctx, key, redis_rate.Limit{Rate: 1, Burst: burst, Period: interval})
		if err != nil {
			return false, fmt.Errorf("rate limit: %w", err)
		}
		return result.Allowed > 0, nil
	}
	return l.allowLocal(key, interval, burst), nil
}

func (l *limits) allowLocal(key string, interval time.Duration, burst int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	full := now
	if item := l.local.Get(key); item != nil && item.Value().After(now) {
		full = item.Value()
	}
	full = full.Add(interval)
	if full.Sub(now).Seconds() > interval.Seconds()*float64(burst) {
		return false
	}
	l.local.Set(key, full, full.Sub(now))
	return true
}
