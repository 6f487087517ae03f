package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Store keeps keys' sessions, counters and what plugins write. A ttl of 0 keeps
// a value until it is deleted.
type Store interface {
	sessionStore
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) (found bool, err error)
	// Increment adds one to a counter and returns it; ttl begins with its first one.
	Increment(ctx context.Context, key string, ttl time.Duration) (int64, error)
	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	Close() error
}

// openStore makes the store that the settings name, and asks whether it answers.
func openStore(s StorageSettings) (Store, error) {
	switch s.Type {
	case "", "embedded":
		return newEmbedded(), nil
	case "redis":
		store := newRedis(s, nil)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := store.Ping(ctx); err != nil {
			return nil, fmt.Errorf("storage: connecting to Redis at %s:%d: %w: start it, or set storage.type to \"embedded\"", s.Host, s.Port, err)
		}
		return store, nil
	}
	return nil, fmt.Errorf("storage.type %q: it must be \"embedded\" or \"redis\"", s.Type)
}

// embedded is the store inside the process. Its own goroutine removes what expired.
type embedded struct {
	values *ttlcache.Cache[string, []byte]
	mu     sync.Mutex // around whatever reads and then writes
}

func newEmbedded() *embedded {
	values := ttlcache.New(ttlcache.WithDisableTouchOnHit[string, []byte]())
	go values.Start()
	return &embedded{values: values}
}

func (e *embedded) Get(_ context.Context, key string) ([]byte, bool, error) {
	item := e.values.Get(key)
	if item == nil {
		return nil, false, nil
	}
	return item.Value(), true, nil
}

func (e *embedded) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl == 0 {
		ttl = ttlcache.NoTTL
	}
	e.values.Set(key, append([]byte{}, value...), ttl)
	return nil
}

func (e *embedded) Delete(_ context.Context, key string) (bool, error) {
	_, found := e.values.GetAndDelete(key)
	return found, nil
}

func (e *embedded) Increment(ctx context.Context, key string, ttl time.Duration) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	item := e.values.Get(key)
	if item == nil {
		return 1, e.Set(ctx, key, []byte("1"), ttl)
	}
	n, err := strconv.ParseInt(string(item.Value()), 10, 64)
	if err != nil {
		return 0, err
	}
	ttl = 0 // as long as before: for ever, or what is left
	if !item.ExpiresAt().IsZero() {
		ttl = max(time.Until(item.ExpiresAt()), 1)
	}
	return n + 1, e.Set(ctx, key, strconv.AppendInt(nil, n+1, 10), ttl)
}

func (e *embedded) Ping(context.Context) error { return nil }

func (e *embedded) Close() error {
	e.values.Stop()
	return nil
}

// redisStore is Redis, through one pool of connections.
type redisStore struct{ client *redis.Client }

// dialer makes the connections of a store; nil is the usual one.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func newRedis(s StorageSettings, dial dialer) *redisStore {
	logging.Disable() // errors are returned; the log has them once
	client := redis.NewClient(&redis.Options{
		Dialer:   dial,
		Addr:     net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Username: s.Username, Password: s.Password, DB: s.Database,
		ContextTimeoutEnabled: true, // deadlines are the caller's, or those of the hook
		PoolSize:              64,
		MinIdleConns:          4,
	})
	client.AddHook(deadlines{})
	return &redisStore{client}
}

func (r *redisStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, err := r.client.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, err
}

func (r *redisStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return r.client.Set(ctx, key, value, ttl).Err()
}

func (r *redisStore) Delete(ctx context.Context, key string) (bool, error) {
	n, err := r.client.Del(ctx, key).Result()
	return n > 0, err
}

// increment sets the time to live with the first one, in one step: a counter
// that lost its own would never renew.
var increment = redis.NewScript(`
local n = redis.call("INCR", KEYS[1])
if n == 1 and tonumber(ARGV[1]) > 0 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return n`)

func (r *redisStore) Increment(ctx context.Context, key string, ttl time.Duration) (int64, error) {
	return increment.Run(ctx, r.client, []string{key}, ttl.Milliseconds()).Int64()
}

func (r *redisStore) Ping(ctx context.Context) error { return r.client.Ping(ctx).Err() }

func (r *redisStore) Close() error { return r.client.Close() }
