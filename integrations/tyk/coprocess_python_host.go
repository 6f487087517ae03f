//go:build cgo && coprocess && python

package gateway

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/storage"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

var pythonLog = log.WithField("prefix", "python")

// pythonHost implements driver.Host: Tyk's services to plugin code.
type pythonHost struct {
	store      *storage.RedisCluster
	dispatcher *PythonDispatcher
}

// newPythonStore connects to Redis with Tyk's own settings, once for all calls.
func newPythonStore(conf *config.Config) *storage.RedisCluster {
	connection := storage.NewConnectionHandler(context.Background())
	go connection.Connect(context.Background(), nil, conf)
	return &storage.RedisCluster{ConnectionHandler: connection}
}

// StoreGet reads a key.
func (h *pythonHost) StoreGet(c context.Context, key string) (value []byte, found bool, err error) {
	value, err = within(c, h.store, func(r redis.UniversalClient) ([]byte, error) { return r.Get(c, key).Bytes() })
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	return value, err == nil, err
}

// StoreSet writes a key.
func (h *pythonHost) StoreSet(c context.Context, key string, value []byte, ttl time.Duration) error {
	_, err := within(c, h.store, func(r redis.UniversalClient) (string, error) { return r.Set(c, key, value, ttl).Result() })
	return err
}

// StoreDelete removes a key.
func (h *pythonHost) StoreDelete(c context.Context, key string) (found bool, err error) {
	n, err := within(c, h.store, func(r redis.UniversalClient) (int64, error) { return r.Del(c, key).Result() })
	return n > 0, err
}

// StoreIncrement adds to a counter and sets the time to live of a new one, in one
// transaction: Tyk's own IncrememntWithExpire takes two steps, adds one and returns no
// error. A script would round a sum of more than 53 bits.
func (h *pythonHost) StoreIncrement(c context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	sum, err := within(c, h.store, func(r redis.UniversalClient) (int64, error) {
		var sum *redis.IntCmd
		_, _ = r.TxPipelined(c, func(p redis.Pipeliner) error { // its error may be that of SetNX
			if ttl > 0 {
				p.SetNX(c, key, 0, ttl)
			}
			sum = p.IncrBy(c, key, by)
			return nil
		})
		return sum.Result()
	})
	switch {
	case err == nil:
		return sum, nil
	case strings.Contains(err.Error(), "not an integer"):
		return 0, driver.ErrNotInteger
	case strings.Contains(err.Error(), "overflow"):
		return 0, driver.ErrOverflow
	}
	return 0, err
}

// StoreTTL returns the time that a key has left.
func (h *pythonHost) StoreTTL(c context.Context, key string) (ttl time.Duration, found bool, err error) {
	left, err := within(c, h.store, func(r redis.UniversalClient) (time.Duration, error) { return r.PTTL(c, key).Result() })
	switch {
	case err != nil || left == -2: // no such key
		return 0, false, err
	case left == -1: // it does not expire
		return 0, true, nil
	}
	return max(left, 1), true, nil
}

// within waits for the connection and runs f, no longer than c allows. f may outlast it:
// Tyk's client reads until its own time limit.
func within[T any](c context.Context, store *storage.RedisCluster, f func(redis.UniversalClient) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		var r result
		if !store.ConnectionHandler.WaitConnect(c) {
			r.err = c.Err()
		} else if client, err := store.Client(); err != nil {
			r.err = err
		} else {
			r.value, r.err = f(client)
		}
		done <- r
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-c.Done():
		var none T
		return none, c.Err()
	}
}

// TriggerEvent fires an event for the handlers of the API whose hook is running, and for
// gateway-wide ones.
func (h *pythonHost) TriggerEvent(apiID, name, payload string) {
	meta := EventMetaDefault{Message: payload}
	if api := h.dispatcher.api(apiID); api != nil {
		api.FireEvent(apidef.TykEvent(name), meta)
	}
	if GatewayFireSystemEvent != nil {
		go GatewayFireSystemEvent(apidef.TykEvent(name), meta)
	}
}

// pythonLogLevel returns the level of Tyk's log under the driver's name for it.
func pythonLogLevel() string {
	switch level := log.GetLevel(); {
	case level >= logrus.DebugLevel:
		return "debug"
	case level == logrus.InfoLevel:
		return "info"
	case level == logrus.WarnLevel:
		return "warning"
	default:
		return "error"
	}
}

// Log writes a record to Tyk's log.
func (h *pythonHost) Log(r driver.Record) {
	entry := pythonLog.WithField("api_id", r.APIID).WithField("hook", r.Hook)
	switch r.Level {
	case "debug":
		entry.Debug(r.Message)
	case "warning":
		entry.Warning(r.Message)
	case "error":
		entry.Error(r.Message)
	default:
		entry.Info(r.Message)
	}
}
