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
		"max_body_bytes": 101, "max_message_bytes": 1102, "max_event_bytes": 103,
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
	o.Apply(&got)
	want := driver.Options{
		Running: 2, MaxCalls: 8, ImportTimeout: 1500 * time.Millisecond, Limits: driver.Limits{
			StoreValue: 104, EventPayload: 103, LogMessage: 100, Body: 101, Message: 1102, KeptBuffers: 105,
		},
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if o.MaxEventsBytes != driver.DefaultSettings.MaxEventsBytes {
		t.Errorf("max_events_bytes is %d", o.MaxEventsBytes)
	}
}

func TestWithoutASettingsFileTheDefaultsHold(t *testing.T) {
	if o, err := readPythonOptions(""); err != nil || o != driver.DefaultSettings {
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
	for options, want := range map[string]string{
		`"max_calls": 1000000000`: "coprocess_options.max_calls", `"max_message_bytes": 102`: "coprocess_options.max_message_bytes",
		`"import_timeout_ms": 9223372036854775807`:         "coprocess_options.import_timeout_ms",
		`"max_event_bytes": 1000, "max_events_bytes": 999`: "coprocess_options.max_events_bytes",
	} {
		if err := write("limits.conf", `{"coprocess_options": {`+options+`}}`); err != nil {
			t.Fatal(err)
		}
		if _, err := readPythonOptions(filepath.Join(folder, "limits.conf")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", options, err)
		}
	}
	t.Setenv("TYK_GW_COPROCESSOPTIONS_MAXCALLS", "-1")
	if _, err := readPythonOptions(""); err == nil || !strings.HasPrefix(err.Error(), "TYK_GW_COPROCESSOPTIONS_MAXCALLS -1") {
		t.Error(err)
	}
}
