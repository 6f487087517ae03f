//go:build coprocess && python

package main

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

var kinds = []struct {
	name string
	size int
}{{"empty", 0}, {"16 KiB", 16 << 10}, {"1 MiB", 1 << 20}}

// makeVariants starts Python and returns the variants.
func makeVariants(plugins, grpcAddress, redisAddress string) (list []variant, python string, err error) {
	host := &benchHost{}
	if redisAddress != "" {
		options := redis.Options{Addr: redisAddress, ContextTimeoutEnabled: true}
		host.plain = redis.NewClient(&options)
		options.Dialer = inproc.Dial // as the bundled gateway does
		host.redis = redis.NewClient(&options)
		if err := host.redis.Set(context.Background(), "coprocess-data:bench", "value", 0).Err(); err != nil {
			return nil, "", err
		}
	}
	backend, err := inproc.Start(driver.Options{Host: host})
	if err != nil {
		return nil, "", err
	}
	rt := registry.New(backend)
	if _, err := rt.Load(driver.Source{Key: driver.DirectoryKey, Path: plugins}); err != nil {
		return nil, "", err
	}
	hook := func(name string) driver.Hook {
		h, bindErr := rt.Bind([]string{driver.DirectoryKey}, driver.Binding{
			Type: driver.Pre, Name: name,
			Spec: map[string]string{"APIID": "2", "OrgID": "default", "bundle_hash": driver.DirectoryKey},
		})
		if bindErr != nil {
			err = bindErr
		}
		return h
	}
	add := hook("add_header")
	for _, goroutines := range []int{1, 16, 256} {
		list = append(list, variant{"one hook, ours", goroutines, 20000, dispatch(add, nil), nil})
		list = append(list, variant{"one hook, in Go", goroutines, 20000, inGo(), nil})
	}
	for _, kind := range kinds {
		body := bytes.Repeat([]byte("x"), kind.size)
		for name, h := range map[string]string{"not read": "add_header", "read": "read_body", "replaced": "replace_body"} {
			if kind.size > 0 {
				list = append(list, variant{fmt.Sprintf("body of %s, %s", kind.name, name), 1, 600, dispatch(hook(h), body), nil})
			}
		}
	}
	list = append(list, variant{"body empty", 1, 600, dispatch(add, nil), nil})
	if host.redis != nil {
		list = append(list,
			variant{"get_data", 1, 1000, dispatch(hook("get_data"), nil), nil},
			variant{"get_data, the round trip alone", 1, 1000, host.roundTrip, nil})
	}
	list = append(list, variant{"fast hooks", 16, 40000, dispatch(add, nil), nil})
	for _, slow := range []string{"time_sleep", "socket_read", "slow_get_data"} {
		list = append(list, variant{"fast hooks while 50 are in " + slow, 16, 40000, dispatch(add, nil), background(dispatch(hook(slow), nil))})
	}
	if grpcAddress != "" {
		peers, peerErr := peerVariants(grpcAddress)
		if peerErr != nil {
			return nil, "", peerErr
		}
		list = append(list, peers...)
	}
	return list, rt.Describe(), err
}

// inGo is the lower bound: the same hook as a Go function.
func inGo() func() error {
	c := call(nil)
	return func() error {
		reply := &driver.Reply{SetHeaders: []driver.Pair{{Name: "X-Added", Value: c.Request.Host}}}
		sink.store(reply)
		return nil
	}
}

// sink prevents the compiler from removing the call.
var sink keeper

type keeper struct{ last *driver.Reply }

//go:noinline
func (k *keeper) store(r *driver.Reply) { k.last = r }

// background calls f from 50 goroutines while a round runs.
func background(f func() error) func() func() {
	return func() func() {
		stop := make(chan struct{})
		var group sync.WaitGroup
		for range 50 {
			group.Add(1)
			go func() {
				defer group.Done()
				for {
					select {
					case <-stop:
						return
					default:
						_ = f()
					}
				}
			}()
		}
		time.Sleep(300 * time.Millisecond) // until all of them run
		return func() { close(stop); group.Wait() }
	}
}

// benchHost is a store in Redis, or an empty one.
type benchHost struct {
	redis *redis.Client
	plain *redis.Client // with go-redis's defaults
}

func (h *benchHost) StoreGet(ctx context.Context, key string) ([]byte, bool, error) {
	if key == "coprocess-data:slow" {
		time.Sleep(200 * time.Millisecond)
		return nil, false, nil
	}
	if h.redis == nil {
		return nil, false, nil
	}
	value, err := h.redis.Get(ctx, key).Bytes()
	return value, err == nil, err
}

func (h *benchHost) roundTrip() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return h.plain.Get(ctx, "coprocess-data:bench").Err()
}

func (h *benchHost) StoreSet(context.Context, string, []byte, time.Duration) error { return nil }

func (h *benchHost) StoreDelete(context.Context, string) (bool, error) { return false, nil }

func (h *benchHost) StoreIncrement(_ context.Context, _ string, by int64, _ time.Duration) (int64, error) {
	return by, nil
}

func (h *benchHost) StoreTTL(context.Context, string) (time.Duration, bool, error) {
	return 0, false, nil
}
func (h *benchHost) TriggerEvent(string, string, string) {}
func (h *benchHost) Log(driver.Record)                   {}
