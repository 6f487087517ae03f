//go:build cgo && coprocess && python && standin

package gateway

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestAReloadTakesUpChangedCode(t *testing.T) {
	restore(t)
	if err := write("middleware/python/plugin.py", strings.ReplaceAll(plugin, "VERSION", "new code")); err != nil {
		t.Fatal(err)
	}
	underway.Reload()
	if got := dispatch(t, object(coprocess.HookType_Pre, "add_header")).Request.SetHeaders["X-Added"]; got != "new code" {
		t.Errorf("after the reload: %q", got)
	}
	if err := write("middleware/python/plugin.py", "def broken(:\n"); err != nil {
		t.Fatal(err)
	}
	underway.Reload()
	told.wait(t, "SyntaxError")
	if got := dispatch(t, object(coprocess.HookType_Pre, "add_header")).Request.SetHeaders["X-Added"]; got != "new code" {
		t.Errorf("after broken code: %q", got)
	}
}

// restore undoes what a test does to the plugin directory and the APIs.
func restore(t *testing.T) {
	t.Cleanup(func() {
		loadAPIs()
		if err := write("middleware/python/plugin.py", plugin); err != nil {
			t.Fatal(err)
		}
		underway.Reload()
	})
}

func added(t *testing.T) string {
	t.Helper()
	return dispatch(t, object(coprocess.HookType_Pre, "add_header")).Request.SetHeaders["X-Added"]
}

func TestAConfiguredHookOutlivesReloadsWithoutRequests(t *testing.T) {
	restore(t)
	loadAPIs(&apidef.APIDefinition{APIID: "7", CustomMiddleware: apidef.MiddlewareSection{
		Pre: []apidef.MiddlewareDefinition{{Name: "add_header"}},
	}})
	if err := write("middleware/python/plugin.py", "# nothing"); err != nil {
		t.Fatal(err)
	}
	underway.Reload()
	underway.Reload()
	if got := added(t); got != "VERSION" {
		t.Errorf("the hook says %q", got)
	}
	told.wait(t, "is configured and no longer there")
}

func TestAHookThatNoAPIUsesMayGo(t *testing.T) {
	restore(t)
	added(t) // that it was used does not keep it
	loadAPIs(
		&apidef.APIDefinition{APIID: "7", CustomMiddleware: apidef.MiddlewareSection{
			Pre: []apidef.MiddlewareDefinition{{Name: "add_header", Disabled: true}},
		}},
		&apidef.APIDefinition{APIID: "8", CustomMiddlewareBundle: "other.zip", CustomMiddleware: apidef.MiddlewareSection{
			Pre: []apidef.MiddlewareDefinition{{Name: "add_header"}},
		}},
	)
	if err := write("middleware/python/plugin.py", "# nothing"); err != nil {
		t.Fatal(err)
	}
	underway.Reload()
	if _, err := underway.Dispatch(object(coprocess.HookType_Pre, "add_header")); err == nil {
		t.Error("code that is gone runs")
	}
}

func TestABundleKeepsTheHooksOfItsManifest(t *testing.T) {
	manifest := &apidef.BundleManifest{
		FileList: []string{"middleware.py"},
		CustomMiddleware: apidef.MiddlewareSection{
			Driver: apidef.PythonDriver, Pre: []apidef.MiddlewareDefinition{{Name: "add_header"}},
		},
	}
	if err := write("kept/middleware.py", strings.ReplaceAll(plugin, "VERSION", "kept")); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "kept")
	underway.HandleMiddlewareCache(manifest, path)
	if err := write("kept/middleware.py", "# nothing"); err != nil {
		t.Fatal(err)
	}
	for range 2 { // Tyk loads bundles, then the APIs, and calls Reload last
		underway.HandleMiddlewareCache(manifest, path)
		underway.Reload()
	}
	sent := object(coprocess.HookType_Pre, "add_header")
	sent.Spec["bundle_hash"] = "kept"
	if got := dispatch(t, sent).Request.SetHeaders["X-Added"]; got != "kept" {
		t.Errorf("the hook says %q", got)
	}
}

func TestADisabledBundleMeansTheDirectory(t *testing.T) {
	restore(t)
	loadAPIs(&apidef.APIDefinition{APIID: "7", CustomMiddlewareBundle: "b.zip", CustomMiddlewareBundleDisabled: true})
	sent := object(coprocess.HookType_Pre, "bundle_hash")
	sent.Spec["bundle_hash"] = "that of b.zip"
	out := dispatch(t, sent)
	if got := out.Request.SetHeaders["X-Bundle"]; got != driver.DirectoryKey {
		t.Errorf("bundle_hash is %q", got)
	}
}

func TestRawBodyOnlyIsTheDefinitions(t *testing.T) {
	restore(t)
	for _, c := range []struct {
		definitions []apidef.MiddlewareDefinition
		want        string
	}{
		{[]apidef.MiddlewareDefinition{{Name: "text", RawBodyOnly: true}}, "''"},
		{[]apidef.MiddlewareDefinition{{Name: "text"}}, "'hello'"},
		{[]apidef.MiddlewareDefinition{{Name: "text", RawBodyOnly: true}, {Name: "text"}}, "'hello'"},
		{nil, "'hello'"},
	} {
		loadAPIs(&apidef.APIDefinition{APIID: "7", CustomMiddleware: apidef.MiddlewareSection{Response: c.definitions}})
		underway.Reload()
		sent := object(coprocess.HookType_Response, "text")
		sent.Request.RawBody, sent.Request.Body = nil, ""
		sent.Response = &coprocess.ResponseObject{StatusCode: 200, RawBody: []byte("hello"), Body: "hello"}
		if got := dispatch(t, sent).Response.Headers["X-Text"]; got != c.want {
			t.Errorf("%v: the text is %s", c.definitions, got)
		}
	}
}

func TestPythonLogsAsTyksLogDoes(t *testing.T) {
	restore(t)
	defer log.SetLevel(log.GetLevel())
	for level, want := range map[logrus.Level]string{
		logrus.TraceLevel: "DEBUG INFO WARNING ERROR", logrus.DebugLevel: "DEBUG INFO WARNING ERROR",
		logrus.InfoLevel: "INFO WARNING ERROR", logrus.WarnLevel: "WARNING ERROR",
		logrus.ErrorLevel: "ERROR", logrus.FatalLevel: "ERROR",
	} {
		log.SetLevel(level)
		underway.Reload()
		got := dispatch(t, object(coprocess.HookType_Pre, "levels")).Request.SetHeaders["X-Levels"]
		if got != want {
			t.Errorf("at %s plugins log %s", level, got)
		}
	}
}

// waitForHandles waits until Python has n bound hooks.
func waitForHandles(t *testing.T, n int) {
	t.Helper()
	var stats struct{ Handles int }
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		data, err := underway.runtime.Stats()
		if err == nil {
			err = json.Unmarshal(data, &stats)
		}
		if err != nil {
			t.Fatal(err)
		}
		if stats.Handles == n {
			return
		}
	}
	t.Fatalf("%d hooks are bound, want %d", stats.Handles, n)
}

func TestAHookIsClosedWhenItsLastCallHasEnded(t *testing.T) {
	restore(t)
	underway.Reload()
	gate := filepath.Join(folder, "gate")
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	sent := object(coprocess.HookType_Pre, "waits")
	sent.Request.Headers["X-Gate"] = gate
	ended := make(chan error, 1)
	go func() {
		_, err := underway.Dispatch(sent)
		ended <- err
	}()
	told.wait(t, "WAITING at "+gate)
	waitForHandles(t, 1)
	underway.Reload()
	underway.Reload()
	waitForHandles(t, 1) // that of the call
	if underway.hooks.Len() != 0 {
		t.Error("the next request would find the old hook")
	}
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	waitForHandles(t, 0)
}

func TestReloadsAndRequestsAtOnceLoseNoCall(t *testing.T) {
	restore(t)
	c, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	done := make(chan error, 8)
	for range cap(done) {
		go func() {
			for c.Err() == nil {
				if _, err := underway.Dispatch(object(coprocess.HookType_Pre, "add_header")); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for c.Err() == nil {
		underway.hooks.Reset()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	underway.hooks.Reset()
	waitForHandles(t, 0)
}
