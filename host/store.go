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

// Store holds sessions, counters and the values of plugins. A ttl of 0 keeps a value until
// it is deleted.
type Store interface {
	sessionStore
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) (found bool, err error)
	// Increment adds one to a counter and returns it. ttl starts with the first one.
	Increment(ctx context.Context, key string, ttl time.Duration) (int64, error)
	// Ping checks that the store is available.
	Ping(ctx context.Context) error
	Close() error
}

// openStore returns the store of the settings, after checking that it is available.
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

// embedded is an in-memory store. A goroutine removes expired values.
type embedded struct {
	values *ttlcache.Cache[string, []byte]
	mu     sync.Mutex // for operations that read and then write
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
	ttl = 0 // unchanged: unlimited, or the remaining time
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

// redisStore is a Redis with a pool of connections.
type redisStore struct{ client *redis.Client }

// dialer opens the connections of a store; nil means the default.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

func newRedis(s StorageSettings, dial dialer) *redisStore {
	logging.Disable() // errors are returned, and logged by the caller
	client := redis.NewClient(&redis.Options{
		Dialer:   dial,
		Addr:     net.JoinHostPort(s.Host, strconv.Itoa(s.Port)),
		Username: s.Username, Password: s.Password, DB: s.Database,
		ContextTimeoutEnabled: true, // deadlines are the caller's, or set by the hook deadlines
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

// increment sets the time to live with the first one, atomically: a counter without one
// would never expire.
var increment = redis.NewScript(`
local n = redis.call("INCR", KEYS[1])
if n == 1 and tonumber(ARGV[1]) > 0 then redis.call("PEXPIRE", KEYS[1], ARGV[1]) end
return n`)

func (r *redisStore) Increment(ctx context.Context, key string, ttl time.Duration) (int64, error) {
	return increment.Run(ctx, r.client, []string{key}, ttl.Milliseconds()).Int64()
}

func (r *redisStore) Ping(ctx context.Context) error { return r.client.Ping(ctx).Err() }

func (r *redisStore) Close() error { return r.client.Close() }
