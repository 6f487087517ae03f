//go:build coprocess && python

package inproc

import (
	"strings"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/interpreter"
)

func TestAnInterpreterThatDoesNotFitIsRefused(t *testing.T) {
	for want, i := range map[string]interpreter.Interpreter{
		"this gateway requires": {ABI: headerABI + 1, Libpython: "/a", Library: "/b"},
		"no shared libpython":   {ABI: headerABI, Library: "/b"},
		"has no library":        {ABI: headerABI, Libpython: "/a"},
	} {
		err := check(&i, "python3")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%+v: %v", i, err)
		}
	}
	if err := check(python.interpreter, "python3"); err != nil {
		t.Error(err)
	}
}

func TestASecondStartIsAnError(t *testing.T) {
	if _, err := Start(driver.Options{Host: host}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Error(err)
	}
}

func TestASecondLibpythonIsAnError(t *testing.T) {
	i := python.interpreter
	if err := openLibrary(i.Libpython, i.Library); err == nil || !strings.Contains(err.Error(), i.Libpython) {
		t.Error(err)
	}
}
