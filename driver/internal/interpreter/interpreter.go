// Package interpreter finds a Python in which the tyk_cffi package is installed.
package interpreter

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Interpreter describes a Python in which the tyk_cffi package is installed, as
// reported by `python -m tyk_cffi info --json`.
type Interpreter struct {
	Version    string `json:"version"` // of the package
	ABI        int    `json:"abi"`     // ABI version of the library; 0 if there is none
	Python     string `json:"python"`
	Executable string `json:"executable"`
	Libpython  string `json:"libpython"`
	Library    string `json:"library"`
	Protobuf   string `json:"protobuf"`
}

// Find returns the path of the python to use. In this order:
// TYK_CFFI_PYTHON; version ("3.12" or "3"), as python3.12 on PATH; VIRTUAL_ENV;
// python3 on PATH.
func Find(version string) (string, error) {
	if path := os.Getenv("TYK_CFFI_PYTHON"); path != "" {
		return lookPath(path, "set by TYK_CFFI_PYTHON")
	}
	if version != "" {
		return lookPath("python"+version, "set by coprocess_options.python_version")
	}
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		return lookPath(filepath.Join(env, "bin", "python"), "set by VIRTUAL_ENV")
	}
	return lookPath("python3", "the default: none of TYK_CFFI_PYTHON, coprocess_options.python_version and VIRTUAL_ENV is set")
}

func lookPath(name, why string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s not found (%s): install it or choose another interpreter", name, why)
	}
	return filepath.Abs(path)
}

// infoTimeout bounds how long the interpreter may take to describe itself.
const infoTimeout = 30 * time.Second

// Query runs python once and asks it to describe itself.
func Query(python string) (*Interpreter, error) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), infoTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, python, "-m", "tyk_cffi", "info", "--json")
	command.WaitDelay = time.Second // a child process may keep the output open
	command.Dir = "/"               // -m would look for tyk_cffi in the working directory first
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s -m tyk_cffi info did not finish within %v: %w", python, infoTimeout, driver.ErrTimedOut)
	case errors.As(err, &exit) && strings.Contains(stderr.String(), "No module named"):
		return nil, fmt.Errorf("the tyk_cffi package is not installed in %s: install the wheel, or run `%s -m pip install /path/to/checkout`", python, python)
	case err != nil:
		return nil, fmt.Errorf("%s -m tyk_cffi info: %w: %s", python, err, lastLine(stderr.String()))
	}
	info := &Interpreter{}
	if err := json.Unmarshal(stdout.Bytes(), info); err != nil {
		return nil, fmt.Errorf("%s -m tyk_cffi info did not print JSON: %w", python, err)
	}
	return info, nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
