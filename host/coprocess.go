package host

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// coprocess is what the gateway needs of the driver: python.go has the real one.
type coprocess interface {
	Load(driver.Source) (driver.Loaded, error)
	Bind(driver.Binding) (hook, error)
	DispatchEvent(ctx context.Context, event []byte) error
	Usage() driver.Usage
	Describe() string
	SetLogLevel(level string) error
	Stop(limit time.Duration) error
}

// hook is one bound hook.
type hook interface {
	Dispatch(ctx context.Context, call *driver.Call) (*driver.Reply, error)
	// ReadsBody tells whether the hook is known to look at bodies.
	ReadsBody() bool
	Close()
}

// errNoTags is why an API with Python hooks is not served by this binary.
var errNoTags = errors.New("this binary cannot run Python: it was built without -tags 'coprocess python'")

// errNotEnabled is why an API with Python hooks is not served by these settings.
var errNotEnabled = errors.New("coprocess_options.enable_coprocess is off in the settings")

// services is the gateway as plugin code sees it (driver.Host).
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

// detail adds a traceback to a log record, where err has one.
func detail(err error) slog.Attr {
	var failure interface{ Detail() string }
	if errors.As(err, &failure) && strings.Contains(failure.Detail(), "\n") {
		return slog.String("traceback", failure.Detail())
	}
	return slog.Attr{}
}
