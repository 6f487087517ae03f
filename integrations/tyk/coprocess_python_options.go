//go:build cgo && coprocess && python

package gateway

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strconv"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// readPythonOptions reads the limits in coprocess_options from the settings file, then from
// the environment. Tyk does not know them and drops them when it reads its settings, so they
// are read here. file is empty if Tyk runs without one.
func readPythonOptions(file string) (s driver.Settings, err error) {
	s = driver.DefaultSettings
	var settings struct {
		Options map[string]json.RawMessage `json:"coprocess_options"`
	}
	if file != "" {
		data, err := os.ReadFile(file)
		if err != nil {
			return s, err
		}
		if err := json.Unmarshal(data, &settings); err != nil {
			return s, fmt.Errorf("%s: %w", file, err)
		}
	}
	for i, fields := 0, reflect.ValueOf(&s).Elem(); i < fields.NumField(); i++ {
		tag := fields.Type().Field(i).Tag
		name := tag.Get("json")
		where, text := file+": coprocess_options."+name, string(settings.Options[name])
		variable := "TYK_GW_COPROCESSOPTIONS_" + tag.Get("env")
		if value, ok := os.LookupEnv(variable); ok {
			where, text = variable, value
		}
		if text == "" {
			continue
		}
		value, err := strconv.ParseInt(text, 10, 64)
		if err != nil || value < 1 {
			return s, fmt.Errorf("%s %s: it must be a whole number above 0", where, text)
		}
		fields.Field(i).SetInt(value)
	}
	return s, s.Check()
}
