//go:build cgo && coprocess && python

package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// defaultEventBytes bounds the events whose handlers have not ended.
const defaultEventBytes = 32 << 20

// pythonOptions are the limits in coprocess_options. Tyk does not know them and drops them
// when it reads its settings, so they are read here, from the same file and environment. 0
// means the driver's default.
type pythonOptions struct {
	running, maxCalls, importTimeoutMS                  int
	body, message, event, events, storeValue, log, kept int
}

// readPythonOptions reads the settings file, then the environment. file is empty if Tyk
// runs without one.
func readPythonOptions(file string) (o pythonOptions, err error) {
	var settings struct {
		Options map[string]json.RawMessage `json:"coprocess_options"`
	}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return o, err
		}
		if err := json.Unmarshal(data, &settings); err != nil {
			return o, fmt.Errorf("%s: %w", file, err)
		}
	}
	for name, into := range map[string]*int{
		"running": &o.running, "max_calls": &o.maxCalls, "import_timeout_ms": &o.importTimeoutMS,
		"max_body_bytes": &o.body, "max_message_bytes": &o.message,
		"max_event_bytes": &o.event, "max_events_bytes": &o.events,
		"max_store_value_bytes": &o.storeValue, "max_log_bytes": &o.log, "max_kept_bytes": &o.kept,
	} {
		where, text := file+": coprocess_options."+name, string(settings.Options[name])
		variable := "TYK_GW_COPROCESSOPTIONS_" + strings.ToUpper(strings.ReplaceAll(name, "_", ""))
		if value, ok := os.LookupEnv(variable); ok {
			where, text = variable, value
		}
		if text == "" {
			continue
		}
		if *into, err = strconv.Atoi(text); err != nil || *into < 1 {
			return o, fmt.Errorf("%s %s: it must be a whole number above 0", where, text)
		}
	}
	if o.events == 0 {
		o.events = defaultEventBytes
	}
	return o, nil
}

// apply sets the limits in the driver's options.
func (o *pythonOptions) apply(to *driver.Options) {
	to.Running, to.MaxCalls = o.running, o.maxCalls
	to.ImportTimeout = time.Duration(o.importTimeoutMS) * time.Millisecond
	to.Limits = driver.Limits{
		StoreValue: o.storeValue, EventPayload: o.event, LogMessage: o.log,
		Body: o.body, Message: o.message, KeptBuffers: o.kept,
	}
}
