//go:build cgo && coprocess && python

package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/storage"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

var pythonLog = log.WithField("prefix", "python")

// pythonHost is Tyk as plugin code sees it (driver.Host).
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

// StoreGet reads a key. Tyk's store tells "absent" and "failed" alike, so an
// absent key is asked for once more in a way that tells them apart.
func (h *pythonHost) StoreGet(c context.Context, key string) (value []byte, found bool, err error) {
	err = h.within(c, func() error {
		text, err := h.store.GetRawKey(key)
		if errors.Is(err, storage.ErrKeyNotFound) {
			_, err = h.store.Exists(key)
			return err
		}
		value, found = []byte(text), err == nil
		return err
	})
	return value, found, err
}

// StoreSet writes a key; Tyk counts its life in seconds.
func (h *pythonHost) StoreSet(c context.Context, key string, value []byte, ttl time.Duration) error {
	seconds := int64((ttl + time.Second - 1) / time.Second)
	return h.within(c, func() error { return h.store.SetRawKey(key, string(value), seconds) })
}

// within waits for the connection and runs f, no longer than c allows. f may
// outlast it: Tyk's store takes no context.
func (h *pythonHost) within(c context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() {
		if !h.store.ConnectionHandler.WaitConnect(c) {
			done <- c.Err()
			return
		}
		done <- f()
	}()
	select {
	case err := <-done:
		return err
	case <-c.Done():
		return c.Err()
	}
}

// TriggerEvent fires an event for the handlers of the API whose hook asked, and for
// the gateway-wide ones.
func (h *pythonHost) TriggerEvent(apiID, name, payload string) {
	meta := EventMetaDefault{Message: payload}
	if api := h.dispatcher.api(apiID); api != nil {
		api.FireEvent(apidef.TykEvent(name), meta)
	}
	if GatewayFireSystemEvent != nil {
		go GatewayFireSystemEvent(apidef.TykEvent(name), meta)
	}
}

// pythonLogLevel is the level of Tyk's log as the driver names it: records below it do
// not leave Python.
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
