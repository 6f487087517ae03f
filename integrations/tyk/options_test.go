//go:build cgo && coprocess && python && standin

package gateway

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestLimitsComeFromTyksSettingsAndEnvironment(t *testing.T) {
	const settings = `{"listen_port": 8080, "coprocess_options": {
		"enable_coprocess": true, "max_calls": 7, "running": 2, "max_log_bytes": 100,
		"max_body_bytes": 101, "max_message_bytes": 102, "max_event_bytes": 103,
		"max_store_value_bytes": 104, "max_kept_bytes": 105, "import_timeout_ms": 1500}}`
	if err := write("limits.conf", settings); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TYK_GW_COPROCESSOPTIONS_MAXCALLS", "8")
	o, err := readPythonOptions(filepath.Join(folder, "limits.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var got driver.Options
	o.apply(&got)
	want := driver.Options{
		Running: 2, MaxCalls: 8, ImportTimeout: 1500 * time.Millisecond, Limits: driver.Limits{
			StoreValue: 104, EventPayload: 103, LogMessage: 100, Body: 101, Message: 102, KeptBuffers: 105,
		},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if o.events != defaultEventBytes {
		t.Errorf("max_events_bytes is %d", o.events)
	}
}

func TestWithoutASettingsFileTheDefaultsHold(t *testing.T) {
	if o, err := readPythonOptions(""); err != nil || o != (pythonOptions{events: defaultEventBytes}) {
		t.Error(o, err)
	}
}

func TestALimitThatIsNoLimitIsRefusedByName(t *testing.T) {
	for _, value := range []string{`"many"`, "-1", "0", "1.5", "null", "1e3"} {
		if err := write("limits.conf", `{"coprocess_options": {"max_calls": `+value+`}}`); err != nil {
			t.Fatal(err)
		}
		_, err := readPythonOptions(filepath.Join(folder, "limits.conf"))
		if err == nil || !strings.Contains(err.Error(), "limits.conf: coprocess_options.max_calls "+value) {
			t.Errorf("%s: %v", value, err)
		}
	}
	t.Setenv("TYK_GW_COPROCESSOPTIONS_MAXCALLS", "-1")
	if _, err := readPythonOptions(""); err == nil || !strings.HasPrefix(err.Error(), "TYK_GW_COPROCESSOPTIONS_MAXCALLS -1") {
		t.Error(err)
	}
}
