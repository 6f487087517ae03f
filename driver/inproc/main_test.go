//go:build coprocess && python

package inproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// python is the one runtime of this test process; host is what serves it.
var (
	python *Runtime
	host   = &testHost{}
)

// handles numbers the hooks that tests bind.
var handles atomic.Uint64

// failedStart is what a start gave that failed before libpython was loaded.
var failedStart error

// testLimits are small enough for a test to exceed them.
var testLimits = driver.Limits{StoreValue: 1 << 20, EventPayload: 1 << 19, LogMessage: 1 << 12, Body: 8 << 20, Message: 4 << 20, KeptBuffers: 6 << 20}

func TestMain(m *testing.M) {
	var err error
	failedStart = startWithoutLibpython()
	python, err = Start(driver.Options{Host: host, Limits: testLimits})
	if err == nil {
		_, err = python.Load(driver.Source{Key: driver.DirectoryKey, Path: "testdata/plugins"})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// startWithoutLibpython starts an interpreter whose libpython is not where it says.
func startWithoutLibpython() error {
	folder, err := os.MkdirTemp("", "driver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	answer := fmt.Sprintf("#!/bin/sh\necho '{\"abi\": %d, \"libpython\": \"%s/none.so\", \"library\": \"none\"}'\n", headerABI, folder)
	interpreter := filepath.Join(folder, "python")
	if err := os.WriteFile(interpreter, []byte(answer), 0o755); err != nil {
		return err
	}
	_, err = Start(driver.Options{Interpreter: interpreter, Host: host})
	return err
}

func TestAStartThatFailedEarlyMayBeTriedAgain(t *testing.T) {
	if failedStart == nil || !strings.Contains(failedStart.Error(), "none.so") {
		t.Errorf("the first start: %v", failedStart)
	}
	if _, err := Start(driver.Options{Host: host, Limits: testLimits}); err == nil || !strings.Contains(err.Error(), "already running") {
		t.Errorf("a start beside the running one: %v", err)
	}
}

// bind returns a hook of testdata/plugins.
func bind(t testing.TB, hookType driver.HookType, name string, spec ...string) driver.Hook {
	t.Helper()
	facts := map[string]string{"APIID": "api", "OrgID": "org", "bundle_hash": driver.DirectoryKey}
	for i := 0; i+1 < len(spec); i += 2 {
		facts[spec[i]] = spec[i+1]
	}
	hook, err := python.Bind(handles.Add(1), driver.Binding{Source: driver.DirectoryKey, Type: hookType, Name: name, Spec: facts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hook.Close)
	return hook
}

func dispatch(t testing.TB, hook driver.Hook, call *driver.Call) *driver.Reply {
	t.Helper()
	reply, err := hook.Dispatch(context.Background(), call)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

// testHost keeps values in memory and remembers what it was told.
type testHost struct {
	mu     sync.Mutex
	values map[string]string
	fail   error         // what the store answers
	slow   time.Duration // how long it takes; below 0 it panics
	events []string
	logs   []driver.Record
}

func (h *testHost) store(ctx context.Context) error {
	h.mu.Lock()
	slow, fail := h.slow, h.fail
	h.mu.Unlock()
	if slow < 0 {
		panic("on purpose")
	}
	select {
	case <-time.After(slow):
		return fail
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *testHost) StoreGet(ctx context.Context, key string) ([]byte, bool, error) {
	err := h.store(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	value, found := h.values[key]
	return []byte(value), found, err
}

func (h *testHost) StoreSet(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl != time.Minute {
		return errors.New("the time to live did not arrive")
	}
	err := h.store(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.values == nil {
		h.values = map[string]string{}
	}
	h.values[key] = string(value)
	return err
}

func (h *testHost) StoreDelete(ctx context.Context, key string) (bool, error) {
	err := h.store(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	_, found := h.values[key]
	delete(h.values, key)
	return found, err
}

// StoreIncrement adds to the last value that it returned for key.
func (h *testHost) StoreIncrement(ctx context.Context, key string, by int64, ttl time.Duration) (int64, error) {
	if ttl != time.Minute {
		return 0, errors.New("the time to live did not arrive")
	}
	err := h.store(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	n, _ := strconv.ParseInt(h.values[key], 10, 64)
	h.values[key] = strconv.FormatInt(n+by, 10)
	return n + by, err
}

// StoreTTL says of a key that it has little left, and of "key" that it stays.
func (h *testHost) StoreTTL(ctx context.Context, key string) (time.Duration, bool, error) {
	err := h.store(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, found := h.values[key]; !found || strings.HasSuffix(key, ":key") {
		return 0, found, err
	}
	return time.Nanosecond, true, err
}

func (h *testHost) TriggerEvent(apiID, name, payload string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, apiID+" "+name+" "+payload)
}

func (h *testHost) Log(r driver.Record) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.logs = append(h.logs, r)
}

// with changes the host for one test.
func (h *testHost) with(t *testing.T, fail error, slow time.Duration) {
	set := func(fail error, slow time.Duration) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.fail, h.slow = fail, slow
	}
	set(fail, slow)
	t.Cleanup(func() { set(nil, 0) })
}

// within fails when f takes longer than a test can wait.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal(what + " did not happen")
	}
}
