//go:build coprocess && python

// Command soak makes millions of calls, with errors, events and a thousand reloads, and
// prints the memory usage after each tenth.
//
//	soak [-calls N] [-reloads N]
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

type host struct{}

func (host) StoreGet(context.Context, string) ([]byte, bool, error) {
	return []byte("value"), true, nil
}
func (host) StoreSet(context.Context, string, []byte, time.Duration) error { return nil }

func (host) StoreDelete(context.Context, string) (bool, error) { return false, nil }

func (host) StoreIncrement(_ context.Context, _ string, by int64, _ time.Duration) (int64, error) {
	return by, nil
}

func (host) StoreTTL(context.Context, string) (time.Duration, bool, error) { return 0, false, nil }
func (host) TriggerEvent(string, string, string)                           {}
func (host) Log(driver.Record)                                             {}

// sample is the memory usage at one moment.
type sample struct {
	Calls   int `json:"calls"`
	HeapKiB int `json:"go_heap_kib"`
	RSSKiB  int `json:"rss_kib"`
	Objects int `json:"python_objects"`
}

func main() {
	calls := flag.Int("calls", 5_000_000, "number of calls")
	reloads := flag.Int("reloads", 1000, "number of reloads")
	plugins := flag.String("plugins", "plugins", "`folder` with the hooks")
	flag.Parse()
	if err := soak(*calls, *reloads, *plugins); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func soak(calls, reloads int, plugins string) error {
	folder, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	code, err := os.ReadFile(filepath.Join(plugins, "hooks.py"))
	if err != nil {
		return err
	}
	backend, err := inproc.Start(driver.Options{Host: host{}})
	if err != nil {
		return err
	}
	rt := registry.New(backend)
	source := driver.Source{Key: driver.DirectoryKey, Path: folder}
	reload := func(n int) error {
		text := append([]byte("# version "+strconv.Itoa(n)+"\n"), code...)
		if err := os.WriteFile(filepath.Join(folder, "hooks.py"), text, 0o644); err != nil {
			return err
		}
		_, err := rt.Load(source)
		return err
	}
	if err := reload(0); err != nil {
		return err
	}
	hooks := map[string]driver.Hook{}
	for _, name := range []string{"add_header", "replace_body", "get_data", "fails", "objects"} {
		if hooks[name], err = rt.Bind([]string{driver.DirectoryKey}, driver.Binding{
			Type: driver.Pre, Name: name, Spec: map[string]string{"APIID": "1"},
		}); err != nil {
			return err
		}
	}
	out := json.NewEncoder(os.Stdout)
	for tenth := range 10 {
		if err := mixed(rt, hooks, calls/10, reloads/10, tenth, reload); err != nil {
			return err
		}
		s, err := look(hooks["objects"], calls/10*(tenth+1))
		if err != nil {
			return err
		}
		_ = out.Encode(s)
	}
	return nil
}

// mixed makes a tenth of the calls from 16 goroutines while code is reloaded.
func mixed(rt *registry.Registry, hooks map[string]driver.Hook, calls, reloads, tenth int, reload func(int) error) error {
	ctx := context.Background()
	event := []byte(`{"message": {"Type": "T", "Meta": {}}, "handler_name": "handler", "spec": {"APIID": "1"}}`)
	body := bytes.Repeat([]byte("x"), 2000)
	failed := make(chan error, 17)
	var group sync.WaitGroup
	for range 16 {
		group.Add(1)
		go func() {
			defer group.Done()
			call := &driver.Call{Request: driver.Request{Method: "GET", URL: "/", Headers: driver.Multi{"A": {"b"}}, Body: body}}
			for i := range calls / 16 {
				var err error
				switch {
				case i%50 == 0:
					if _, expected := hooks["fails"].Dispatch(ctx, call); expected == nil {
						err = fmt.Errorf("a failing hook did not fail")
					}
				case i%50 == 1:
					err = rt.DispatchEvent(ctx, event)
				case i%10 == 2:
					_, err = hooks["replace_body"].Dispatch(ctx, call)
				case i%10 == 3:
					_, err = hooks["get_data"].Dispatch(ctx, call)
				default:
					_, err = hooks["add_header"].Dispatch(ctx, call)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	group.Add(1)
	go func() {
		defer group.Done()
		for i := range reloads {
			if err := reload(tenth*reloads + i + 1); err != nil {
				failed <- err
				return
			}
		}
	}()
	group.Wait()
	close(failed)
	return <-failed
}

func look(objects driver.Hook, calls int) (sample, error) {
	reply, err := objects.Dispatch(context.Background(), &driver.Call{})
	if err != nil {
		return sample{}, err
	}
	count, err := strconv.Atoi(reply.SetHeaders[0].Value)
	if err != nil {
		return sample{}, err
	}
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	status, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return sample{}, err
	}
	var size, resident int
	_, err = fmt.Sscan(string(status), &size, &resident)
	return sample{calls, int(stats.HeapAlloc >> 10), resident * os.Getpagesize() >> 10, count}, err
}
