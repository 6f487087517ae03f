package host

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// sessionStore is the part of a store for sessions and their counters. Each call is atomic,
// so that gateways may share a store.
//
// The keys API changes sessions unconditionally. A request that stores the session created
// by its hook passes the revision at which it began: if the keys API has changed that
// session since, its change wins.
type sessionStore interface {
	// Revision returns the number of the latest change by the keys API.
	Revision(ctx context.Context) (int64, error)
	// PutSession stores a value, unless Change has changed the key after revision. If the
	// same value is already stored, it keeps its time to live.
	PutSession(ctx context.Context, key string, value []byte, ttl time.Duration, revision int64) (stored bool, err error)
	// Change stores a value, or deletes the key if value is nil, and removes the counters.
	Change(ctx context.Context, key string, value []byte, ttl time.Duration, counters []string) (found bool, err error)
	// Count adds one to a counter. ttl starts with the first one; left is the remaining
	// time, 0 if the counter never expires.
	Count(ctx context.Context, key string, ttl time.Duration) (n int64, left time.Duration, err error)
	// Counted returns a counter; 0 if there is none.
	Counted(ctx context.Context, key string) (n int64, left time.Duration, err error)
}

const (
	revisionKey   = "session-revision"
	changedPrefix = "session-changed-"
	// changeTTL is how long a change is remembered: longer than any request.
	changeTTL = 24 * time.Hour
)

func (e *embedded) Revision(context.Context) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, _, err := e.number(revisionKey)
	return n, err
}

func (e *embedded) PutSession(_ context.Context, key string, value []byte, ttl time.Duration, revision int64) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if changed, _, err := e.number(changedPrefix + key); err != nil || changed > revision {
		return false, err
	}
	if item := e.values.Get(key); item != nil && string(item.Value()) == string(value) {
		return true, nil
	}
	return true, e.set(key, value, ttl)
}

func (e *embedded) Change(_ context.Context, key string, value []byte, ttl time.Duration, counters []string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	revision, _, err := e.number(revisionKey)
	if err != nil {
		return false, err
	}
	next := strconv.AppendInt(nil, revision+1, 10)
	_ = e.set(revisionKey, next, 0)
	_ = e.set(changedPrefix+key, next, changeTTL)
	_, found := e.values.GetAndDelete(key)
	if value != nil {
		_ = e.set(key, value, ttl)
	}
	for _, counter := range counters {
		e.values.Delete(counter)
	}
	return found, nil
}

func (e *embedded) Count(_ context.Context, key string, ttl time.Duration) (int64, time.Duration, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	n, left, err := e.number(key)
	if err != nil {
		return 0, 0, err
	}
	if left == 0 {
		left = ttl
	}
	return n + 1, left, e.set(key, strconv.AppendInt(nil, n+1, 10), left)
}

func (e *embedded) Counted(_ context.Context, key string) (int64, time.Duration, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.number(key)
}

// number returns a counter and its remaining time to live, 0 if it never expires. e.mu
// must be held.
func (e *embedded) number(key string) (n int64, left time.Duration, err error) {
	item := e.values.Get(key)
	if item == nil {
		return 0, 0, nil
	}
	if !item.ExpiresAt().IsZero() {
		left = max(time.Until(item.ExpiresAt()), 1)
	}
	n, err = strconv.ParseInt(string(item.Value()), 10, 64)
	return n, left, err
}

var (
	putSession = redis.NewScript(`
local changed = redis.call("GET", KEYS[2])
if changed and tonumber(changed) > tonumber(ARGV[3]) then return 0 end
if redis.call("GET", KEYS[1]) == ARGV[1] then return 1 end
if ARGV[2] == "0" then redis.call("SET", KEYS[1], ARGV[1])
else redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end
return 1`)

	changeSession = redis.NewScript(`
local revision = redis.call("INCR", KEYS[3])
redis.call("SET", KEYS[2], revision, "PX", ARGV[3])
local found = redis.call("DEL", KEYS[1])
if ARGV[4] == "set" then
  if ARGV[2] == "0" then redis.call("SET", KEYS[1], ARGV[1])
  else redis.call("SET", KEYS[1], ARGV[1], "PX", ARGV[2]) end
end
for i = 4, #KEYS do redis.call("DEL", KEYS[i]) end
return found`)

	// countOne sets a time to live if a counter has none: it would never expire.
	countOne = redis.NewScript(`
local n = redis.call("INCR", KEYS[1])
local left = redis.call("PTTL", KEYS[1])
if left < 0 and ARGV[1] ~= "0" then
  redis.call("PEXPIRE", KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {n, left}`)

	counted = redis.NewScript(`return {tonumber(redis.call("GET", KEYS[1]) or "0"), redis.call("PTTL", KEYS[1])}`)
)

func (r *redisStore) Revision(ctx context.Context) (int64, error) {
	n, err := r.client.Get(ctx, revisionKey).Int64()
	if err == redis.Nil {
		return 0, nil
	}
	return n, err
}

func (r *redisStore) PutSession(ctx context.Context, key string, value []byte, ttl time.Duration, revision int64) (bool, error) {
	return putSession.Run(ctx, r.client, []string{key, changedPrefix + key}, value, milliseconds(ttl), revision).Bool()
}

func (r *redisStore) Change(ctx context.Context, key string, value []byte, ttl time.Duration, counters []string) (bool, error) {
	keys := append([]string{key, changedPrefix + key, revisionKey}, counters...)
	action := "set"
	if value == nil {
		action = "delete"
	}
	return changeSession.Run(ctx, r.client, keys, value, milliseconds(ttl), milliseconds(changeTTL), action).Bool()
}

func (r *redisStore) Count(ctx context.Context, key string, ttl time.Duration) (int64, time.Duration, error) {
	return numbers(countOne.Run(ctx, r.client, []string{key}, milliseconds(ttl)))
}

func (r *redisStore) Counted(ctx context.Context, key string) (int64, time.Duration, error) {
	return numbers(counted.Run(ctx, r.client, []string{key}))
}

var errNoCounter = errors.New("the value of a counter is not a number")

// numbers decodes the result of a script: a counter and its remaining milliseconds.
func numbers(result *redis.Cmd) (n int64, left time.Duration, err error) {
	pair, err := result.Int64Slice()
	if err == nil && len(pair) != 2 { // a list ends at a value that is not a number
		err = errNoCounter
	}
	if err != nil {
		return 0, 0, err
	}
	return pair[0], time.Duration(max(pair[1], 0)) * time.Millisecond, nil
}

// milliseconds rounds up, since 0 means no time to live.
func milliseconds(ttl time.Duration) int64 {
	return int64((ttl + time.Millisecond - 1) / time.Millisecond)
}

func (s measuredStore) Revision(ctx context.Context) (int64, error) {
	n, err := s.Store.Revision(ctx)
	s.count("revision", err)
	return n, err
}

func (s measuredStore) PutSession(ctx context.Context, key string, value []byte, ttl time.Duration, revision int64) (bool, error) {
	stored, err := s.Store.PutSession(ctx, key, value, ttl, revision)
	s.count("put_session", err)
	return stored, err
}

func (s measuredStore) Change(ctx context.Context, key string, value []byte, ttl time.Duration, counters []string) (bool, error) {
	found, err := s.Store.Change(ctx, key, value, ttl, counters)
	s.count("change", err)
	return found, err
}

func (s measuredStore) Count(ctx context.Context, key string, ttl time.Duration) (int64, time.Duration, error) {
	n, left, err := s.Store.Count(ctx, key, ttl)
	s.count("count", err)
	return n, left, err
}

func (s measuredStore) Counted(ctx context.Context, key string) (int64, time.Duration, error) {
	n, left, err := s.Store.Counted(ctx, key)
	s.count("counted", err)
	return n, left, err
}
