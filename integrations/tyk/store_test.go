//go:build cgo && coprocess && python && standin

package gateway

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"
	"github.com/TykTechnologies/tyk/storage"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// redisServer is the store of all tests, nil where it is not installed.
var redisServer *exec.Cmd

// startRedis starts it on a free port and names it in the settings.
func startRedis(conf *config.Config) error {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return nil
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	conf.Storage = config.StorageOptionsConf{Host: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port}
	_ = listener.Close()
	redisServer = exec.Command(path, "--port", fmt.Sprint(conf.Storage.Port), "--bind", "127.0.0.1", "--save", "")
	redisServer.Dir = folder
	return redisServer.Start()
}

func stopRedis() {
	if redisServer != nil {
		_ = redisServer.Process.Kill()
		_ = redisServer.Wait()
	}
}

func needsRedis(t *testing.T) {
	if redisServer == nil {
		t.Skip("redis-server is not on PATH (apt-get install redis-server)")
	}
}

func services(t *testing.T) (*pythonHost, context.Context) {
	needsRedis(t)
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return &pythonHost{store: newPythonStore(&tyk.conf)}, c
}

func TestValuesAreStored(t *testing.T) {
	needsRedis(t)
	set := dispatch(t, object(coprocess.HookType_Pre, "stores")).Request.SetHeaders
	if set["X-Before"] != "b''" || set["X-After"] != "b'value'" {
		t.Errorf("before and after: %v", set)
	}
	const want = "[1, 60, True, True, -2]"
	if set["X-Counter"] != want {
		t.Errorf("got %s, want %s", set["X-Counter"], want)
	}
}

func TestAValueLivesAsLongAsSaid(t *testing.T) {
	h, c := services(t)
	for key, ttl := range map[string]time.Duration{"kept": 0, "a while": time.Hour, "short": 1500 * time.Millisecond} {
		if err := h.StoreSet(c, key, []byte("a\x00\xff"), ttl); err != nil {
			t.Fatal(err)
		}
		value, found, err := h.StoreGet(c, key)
		if string(value) != "a\x00\xff" || !found || err != nil {
			t.Errorf("%s: %q %v %v", key, value, found, err)
		}
		left, found, err := h.StoreTTL(c, key)
		if left > ttl || left < ttl/2 || !found || err != nil {
			t.Errorf("%s has %v left: %v %v", key, left, found, err)
		}
	}
	for _, want := range []bool{true, false} {
		if found, err := h.StoreDelete(c, "kept"); found != want || err != nil {
			t.Error(found, err)
		}
	}
	if value, found, err := h.StoreGet(c, "kept"); value != nil || found || err != nil {
		t.Error(value, found, err)
	}
	if left, found, err := h.StoreTTL(c, "kept"); left != 0 || found || err != nil {
		t.Error(left, found, err)
	}
}

func TestIncrementsAreAllCountedAndTheFirstSetsTheTime(t *testing.T) {
	h, c := services(t)
	var group sync.WaitGroup
	for range 400 {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := h.StoreIncrement(c, "many", 1, time.Hour); err != nil {
				t.Error(err)
			}
		}()
	}
	group.Wait()
	if n, err := h.StoreIncrement(c, "many", 0, time.Minute); n != 400 || err != nil {
		t.Error(n, err)
	}
	if left, _, err := h.StoreTTL(c, "many"); left < 59*time.Minute || err != nil {
		t.Error(left, err)
	}
	for value, want := range map[string]error{"text": driver.ErrNotInteger, fmt.Sprint(math.MaxInt64): driver.ErrOverflow} {
		if err := h.StoreSet(c, "wrong", []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		if _, err := h.StoreIncrement(c, "wrong", 1, time.Hour); !errors.Is(err, want) {
			t.Errorf("%s + 1: %v", value, err)
		}
		left, _, _ := h.StoreTTL(c, "wrong")
		if got, _, _ := h.StoreGet(c, "wrong"); string(got) != value || left != 0 {
			t.Errorf("%s became %s for %v", value, got, left)
		}
	}
}

func TestAStoreThatHangsRaisesAtTheDeadline(t *testing.T) {
	h, c := services(t)
	if _, _, err := h.StoreGet(c, "key"); err != nil {
		t.Fatal(err)
	}
	_ = redisServer.Process.Signal(syscall.SIGSTOP)
	defer redisServer.Process.Signal(syscall.SIGCONT)
	for name, call := range map[string]func(context.Context) error{
		"get":       func(c context.Context) error { _, _, err := h.StoreGet(c, "key"); return err },
		"set":       func(c context.Context) error { return h.StoreSet(c, "key", nil, 0) },
		"delete":    func(c context.Context) error { _, err := h.StoreDelete(c, "key"); return err },
		"increment": func(c context.Context) error { _, err := h.StoreIncrement(c, "key", 1, time.Hour); return err },
		"ttl":       func(c context.Context) error { _, _, err := h.StoreTTL(c, "key"); return err },
	} {
		short, cancel := context.WithTimeout(c, 200*time.Millisecond)
		begin := time.Now()
		if err := call(short); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > 2*time.Second {
			t.Error(name, err, time.Since(begin))
		}
		cancel()
	}
	_, err := underway.Dispatch(object(coprocess.HookType_Pre, "stores"))
	if err == nil || !strings.Contains(err.Error(), "StoreTimeoutError") {
		t.Error(err)
	}
}

func TestAStoreThatNeverConnectedRaisesAtTheDeadline(t *testing.T) {
	connection := storage.NewConnectionHandler(context.Background())
	h := &pythonHost{store: &storage.RedisCluster{ConnectionHandler: connection}}
	c, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if _, _, err := h.StoreGet(c, "key"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
