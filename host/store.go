package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jellydator/ttlcache/v3"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Store holds sessions, counters and the values of plugins. A ttl of 0 keeps a value until
// it is deleted.
type Store interface {
	sessionStore
	Get(ctx context.Context, key string) (value []byte, found bool, err error)
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	Delete(ctx context.Context, key string) (found bool, err error)
	// Increment adds by to a counter and returns it, in one step; ttl begins with the
	// first one. It fails with driver.ErrNotInteger or driver.ErrOverflow.
	Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error)
	// TTL returns the time that a key has left, 0 when it does not expire.
	TTL(ctx context.Context, key string) (ttl time.Duration, found bool, err error)
	// Ping checks that the store takes writes.
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
	e.mu.Lock() // between the two steps of an increment it would be lost
	defer e.mu.Unlock()
	return e.set(key, value, ttl)
}

// set writes a value; its caller holds mu.
func (e *embedded) set(key string, value []byte, ttl time.Duration) error {
	if ttl == 0 {
		ttl = ttlcache.NoTTL
	}
	e.values.Set(key, append([]byte{}, value...), ttl)
	return nil
}

func (e *embedded) Delete(_ context.Context, key string) (bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, found := e.values.GetAndDelete(key)
	return found, nil
}

func (e *embedded) Increment(_ context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	item := e.values.Get(key)
	if item == nil {
		return by, e.set(key, strconv.AppendInt(nil, by, 10), ttl)
	}
	old, err := strconv.ParseInt(string(item.Value()), 10, 64)
	if err != nil || strconv.FormatInt(old, 10) != string(item.Value()) { // "+1" and "01" are none in Redis
		return 0, driver.ErrNotInteger
	}
	sum := old + by
	if (sum > old) != (by > 0) && by != 0 {
		return 0, driver.ErrOverflow
	}
	ttl = 0 // unchanged: unlimited, or the remaining time
	if !item.ExpiresAt().IsZero() {
		ttl = max(time.Until(item.ExpiresAt()), 1)
	}
	return sum, e.set(key, strconv.AppendInt(nil, sum, 10), ttl)
}

func (e *embedded) TTL(_ context.Context, key string) (time.Duration, bool, error) {
	item := e.values.Get(key)
	switch {
	case item == nil:
		return 0, false, nil
	case item.ExpiresAt().IsZero():
		return 0, true, nil
	}
	return max(time.Until(item.ExpiresAt()), 1), true, nil
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

// Increment sets the time to live with the first one, in one transaction: a counter
// without it would never renew. A script would round a sum of more than 53 bits.
func (r *redisStore) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	var sum *redis.IntCmd
	_, _ = r.client.TxPipelined(ctx, func(p redis.Pipeliner) error { // its error is also sum's
		if ttl > 0 {
			p.SetNX(ctx, key, 0, ttl)
		}
		sum = p.IncrBy(ctx, key, by)
		return nil
	})
	n, err := sum.Result()
	return n, incrementFailure(err)
}

// incrementFailure names what Redis refuses to increment.
func incrementFailure(err error) error {
	if err == nil {
		return nil
	}
	switch text := err.Error(); {
	case strings.Contains(text, "not an integer"):
		return driver.ErrNotInteger
	case strings.Contains(text, "overflow"):
		return driver.ErrOverflow
	}
	return err
}

func (r *redisStore) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	switch left, err := r.client.PTTL(ctx, key).Result(); {
	case err != nil || left == -2: // no such key
		return 0, false, err
	case left == -1: // it does not expire
		return 0, true, nil
	default:
		return max(left, 1), true, nil
	}
}

// pingKey is written by Ping.
const pingKey = "gateway-health"

// Ping writes: a replica, and a Redis that is out of memory or cannot save, answer PING
// while every request with a session fails.
func (r *redisStore) Ping(ctx context.Context) error {
	return r.client.Set(ctx, pingKey, 1, time.Minute).Err()
}

func (r *redisStore) Close() error { return r.client.Close() }
