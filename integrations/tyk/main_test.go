//go:build cgo && coprocess && python && standin

package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

const plugin = `
import atexit
import logging
import os
import time

from tyk.decorators import *
from gateway import TykGateway as tyk

@atexit.register
def stopped():
    with open(os.path.dirname(__file__) + "/stopped", "w"):
        pass

@Pre
def add_header(request, session, spec):
    request.add_header("X-Added", "VERSION")
    request.delete_header("X-Gone")
    request.object.url = "/edited"
    return request, session

@CustomKeyCheck
def check(request, session, metadata, spec):
    session.rate = 5.0
    metadata["token"] = spec["APIID"]
    return request, session, metadata

@Hook
def respond(request, response, session, metadata, spec):
    response.headers["X-New"] = "new"
    response.headers["X-Twice"] = "changed"
    del response.headers["X-Gone"]
    response.raw_body = response.raw_body + b"!"
    return response

@Pre
def fires(request, session, spec):
    tyk.trigger_event("Custom", "payload")
    return request, session

@Pre
def bundle_hash(request, session, spec):
    request.add_header("X-Bundle", spec["bundle_hash"])
    return request, session

@Hook
def text(request, response, session, metadata, spec):
    response.headers["X-Text"] = repr(response.body)
    return response

@Pre
def stores(request, session, spec):
    request.add_header("X-Before", repr(tyk.get_data("key")))
    tyk.store_data("key", "value", 60)
    request.add_header("X-After", repr(tyk.get_data("key")))
    counter = [tyk.increment_data("n", ttl=60), tyk.ttl("n"), tyk.exists("n")]
    request.add_header("X-Counter", repr([*counter, tyk.delete_data("n"), tyk.ttl("n")]))
    return request, session

@Pre
def levels(request, session, spec):
    names = ("DEBUG", "INFO", "WARNING", "ERROR")
    on = [n for n in names if logging.getLogger("p").isEnabledFor(getattr(logging, n))]
    request.add_header("X-Levels", " ".join(on))
    return request, session

@Pre
def waits(request, session, spec):
    gate = request.get_header("X-Gate")
    print("WAITING at", gate)
    while os.path.exists(gate):
        time.sleep(0.005)
    return request, session

@Pre
def fails(request, session, spec):
    raise ValueError("on purpose")
`

const handler = `
import os
import time

from tyk.decorators import Event

@Event
def waits(event, spec):
    print("HANDLING", event["Meta"]["Number"])
    while os.path.exists(event["Meta"]["Gate"]):
        time.sleep(0.005)

@Event
def heard(event, spec):
    print("HEARD", event["Type"], event["Meta"]["Message"], spec["APIID"])
`

// logged keeps what the log was told.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Levels() []logrus.Level { return logrus.AllLevels }

func (l *logged) Fire(e *logrus.Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, e.Message)
	return nil
}

func (l *logged) wait(t *testing.T, text string) {
	t.Helper()
	for range 500 {
		l.mu.Lock()
		found := slices.ContainsFunc(l.lines, func(line string) bool { return strings.Contains(line, text) })
		l.mu.Unlock()
		if found {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q is not in the log: %q", text, l.lines)
}

var (
	folder   string
	told     = &logged{}
	tyk      = &Gateway{}
	underway *PythonDispatcher
)

func write(name, content string) error {
	path := filepath.Join(folder, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(content), 0o644)
}

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (int, error) {
	var err error
	if folder, err = os.MkdirTemp("", "tyk-"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(folder)
	err = errors.Join(
		write("middleware/python/plugin.py", plugin), write("event_handlers/handler.py", handler),
		write("bundle/middleware.py", strings.ReplaceAll(plugin, "VERSION", "bundle")),
	)
	if err != nil {
		return 1, err
	}
	tyk.conf = config.Config{
		MiddlewarePath:   filepath.Join(folder, "middleware"),
		CoProcessOptions: config.CoProcessConfig{EnableCoProcess: true, PythonPathPrefix: folder},
	}
	if err := startRedis(&tyk.conf); err != nil {
		return 1, err
	}
	defer stopRedis()
	log.AddHook(told)
	underway = loadedDrivers[apidef.PythonDriver].(*PythonDispatcher)
	if err := startWithoutPython(); err != nil {
		return 1, err
	}
	underway.Reload()
	if _, err := underway.started(); err != nil {
		return 1, fmt.Errorf("a reload does not try again: %w", err)
	}
	code := m.Run()
	return code, stop()
}

// startWithoutPython starts the gateway where the interpreter is not there.
func startWithoutPython() error {
	const variable = "TYK_CFFI_PYTHON"
	if was, ok := os.LookupEnv(variable); ok {
		defer os.Setenv(variable, was)
	} else {
		defer os.Unsetenv(variable)
	}
	if err := os.Setenv(variable, filepath.Join(folder, "no-python")); err != nil {
		return err
	}
	startDrivers(tyk)
	if _, err := underway.Dispatch(object(coprocess.HookType_Pre, "add_header")); err == nil {
		return errors.New("a hook runs without Python")
	}
	return nil
}

// stop does what Tyk's shutdown does, and looks whether plugins were told.
func stop() error {
	mark := filepath.Join(folder, "middleware", "python", "stopped")
	if err := os.Remove(mark); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stopDrivers(ctx)
	if _, err := os.Stat(mark); err != nil {
		return fmt.Errorf("atexit did not run when Tyk stopped: %w", err)
	}
	return nil
}

// loadAPIs does what a reload of Tyk does before it calls the driver's Reload.
func loadAPIs(apis ...*apidef.APIDefinition) {
	byID := map[string]*APISpec{}
	for _, api := range apis {
		api.CustomMiddleware.Driver = apidef.PythonDriver
		byID[api.APIID] = &APISpec{APIDefinition: api}
	}
	tyk.apisMu.Lock()
	defer tyk.apisMu.Unlock()
	tyk.apisByID = byID
}

func object(hookType coprocess.HookType, name string) *coprocess.Object {
	return &coprocess.Object{
		HookType: hookType, HookName: name,
		Request: &coprocess.MiniRequestObject{
			Headers: map[string]string{"X-Gone": "a", "Host": "h"}, Params: map[string]string{"p": "1"},
			Url: "/api/get?p=1", Method: "GET", RequestUri: "/api/get?p=1", Scheme: "http",
			RawBody: []byte("body"), Body: "body",
			ReturnOverrides: &coprocess.ReturnOverrides{ResponseCode: -1},
		},
		Metadata: map[string]string{},
		Spec:     map[string]string{"APIID": "7", "OrgID": "org", "bundle_hash": driver.DirectoryKey},
	}
}

func dispatch(t *testing.T, o *coprocess.Object) *coprocess.Object {
	t.Helper()
	out, err := underway.Dispatch(o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
