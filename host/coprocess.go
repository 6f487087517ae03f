package host

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// errNoTags is the error of APIs with Python hooks in a binary without Python.
var errNoTags = errors.New("this binary cannot run Python: it was built without -tags 'coprocess python'")

// errNotEnabled is the error of APIs with Python hooks when Python is not enabled.
var errNotEnabled = errors.New("coprocess_options.enable_coprocess is off in the settings")

// services implements driver.Host: the gateway's services to plugin code.
type services struct {
	store  Store
	events *events
	log    *slog.Logger
}

func (s *services) StoreGet(ctx context.Context, key string) ([]byte, bool, error) {
	return s.store.Get(ctx, key)
}

func (s *services) StoreSet(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return s.store.Set(ctx, key, value, ttl)
}

func (s *services) StoreDelete(ctx context.Context, key string) (bool, error) {
	return s.store.Delete(ctx, key)
}

func (s *services) StoreIncrement(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	return s.store.Increment(ctx, key, by, ttl)
}

func (s *services) StoreTTL(ctx context.Context, key string) (time.Duration, bool, error) {
	return s.store.TTL(ctx, key)
}

func (s *services) TriggerEvent(apiID, name, payload string) {
	s.events.fire(apiID, name, map[string]any{"Message": payload, "OriginatingRequest": ""})
}

var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warning": slog.LevelWarn, "error": slog.LevelError,
}

func (s *services) Log(r driver.Record) {
	level := levels[r.Level]
	if !s.log.Enabled(context.Background(), level) {
		return
	}
	s.log.Log(context.Background(), level, r.Message, "source", "python", "api_id", r.APIID, "hook", r.Hook)
}

// detail returns err's traceback, if it has one, for the log.
func detail(err error) slog.Attr {
	var failure interface{ Detail() string }
	if errors.As(err, &failure) && strings.Contains(failure.Detail(), "\n") {
		return slog.String("traceback", failure.Detail())
	}
	return slog.Attr{}
}
