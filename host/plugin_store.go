package host

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
)

// pluginStore is the store for calls from Python if the store is Redis.
//
// A single call waits in the kernel on its own thread (inproc.Dial), which is faster. But
// such a thread occupies one of Go's processors until the runtime takes it away, so
// concurrent calls use the ordinary connections.
type pluginStore struct {
	Store
	direct Store // never closed: threads of plugins may use it until the process ends
	calls  atomic.Int32
}

// pluginStore returns the store for calls from Python.
func (g *Gateway) pluginStore() Store {
	if g.settings.Storage.Type != "redis" {
		return g.store
	}
	return &pluginStore{Store: g.store, direct: measuredStore{newRedis(g.settings.Storage, inproc.Dial), g.metrics}}
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

func (p *pluginStore) Delete(ctx context.Context, key string) (bool, error) {
	defer p.leave()
	return p.enter().Delete(ctx, key)
}

func (p *pluginStore) Increment(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	defer p.leave()
	return p.enter().Increment(ctx, key, by, ttl)
}

func (p *pluginStore) TTL(ctx context.Context, key string) (time.Duration, bool, error) {
	defer p.leave()
	return p.enter().TTL(ctx, key)
}
