package host

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// pluginStore is the store for calls that come from Python, where it is Redis.
//
// A call that is the only one waits on its own thread (driver.Dial): its answer
// comes sooner. But such a thread keeps a processor of Go's until the runtime
// takes it away, so those that come meanwhile go the usual way.
type pluginStore struct {
	Store
	direct Store // open for as long as the process runs, as a plugin's threads may use it
	calls  atomic.Int32
}

// pluginStore returns the store for calls that come from Python.
func (g *Gateway) pluginStore() Store {
	if g.settings.Storage.Type != "redis" {
		return g.store
	}
	return &pluginStore{Store: g.store, direct: measuredStore{newRedis(g.settings.Storage, driver.Dial), g.metrics}}
}

// enter returns the store for one call; leave ends it.
func (p *pluginStore) enter() Store {
	if p.calls.Add(1) == 1 {
		return p.direct
	}
	return p.Store
}

func (p *pluginStore) leave() { p.calls.Add(-1) }

func (p *pluginStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	defer p.leave()
	return p.enter().Get(ctx, key)
}

func (p *pluginStore) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	defer p.leave()
	return p.enter().Set(ctx, key, value, ttl)
}
