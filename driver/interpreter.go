//go:build coprocess && python

package driver

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
)

// Interpreter is a Python with the binding installed: what its
// `python -m tyk_cffi info --json` says.
type Interpreter struct {
	Version    string `json:"version"`  // of the binding
	Contract   int    `json:"contract"` // of the header that its library was made from
	Python     string `json:"python"`
	Executable string `json:"executable"`
	Libpython  string `json:"libpython"`
	Library    string `json:"library"`
	Protobuf   string `json:"protobuf"`
}

// FindInterpreter returns the path of the python to use. In this order:
// TYK_CFFI_PYTHON; version ("3.12" or "3") as python3.12 on PATH; VIRTUAL_ENV;
// python3 on PATH.
func FindInterpreter(version string) (string, error) {
	if path := os.Getenv("TYK_CFFI_PYTHON"); path != "" {
		return lookPath(path, "TYK_CFFI_PYTHON names it")
	}
	if version != "" {
		return lookPath("python"+version, "coprocess_options.python_version asks for it")
	}
	if env := os.Getenv("VIRTUAL_ENV"); env != "" {
		return lookPath(filepath.Join(env, "bin", "python"), "VIRTUAL_ENV names its environment")
	}
	return lookPath("python3", "no TYK_CFFI_PYTHON, python_version or VIRTUAL_ENV chooses another")
}

func lookPath(name, why string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("there is no %s (%s): install it or choose another", name, why)
	}
	return filepath.Abs(path)
}

// askTimeout bounds the question to the interpreter, which imports little.
const askTimeout = 30 * time.Second

// askInterpreter runs python once and checks that what it has fits this driver.
func askInterpreter(python string) (*Interpreter, error) {
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, python, "-m", "tyk_cffi", "info", "--json")
	command.WaitDelay = time.Second // a child of its own may keep the output open
	command.Dir = "/"               // -m would look for tyk_cffi in the working directory first
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s -m tyk_cffi info has not answered in %v: %w", python, askTimeout, ErrTimedOut)
	case errors.As(err, &exit) && strings.Contains(stderr.String(), "No module named"):
		return nil, fmt.Errorf("%s has no binding: run `%s -m pip install tyk-cffi` (a checkout's path in its place does too)", python, python)
	case err != nil:
		return nil, fmt.Errorf("%s -m tyk_cffi info: %w: %s", python, err, lastLine(stderr.String()))
	}
	info := &Interpreter{}
	if err := json.Unmarshal(stdout.Bytes(), info); err != nil {
		return nil, fmt.Errorf("%s -m tyk_cffi info answers no JSON: %w", python, err)
	}
	return info, info.check(python)
}

func (i *Interpreter) check(python string) error {
	switch {
	case i.Contract != headerContract:
		return fmt.Errorf("%s has binding %s, made for contract %d; this gateway speaks %d: install the binding of the gateway's own version", python, i.Version, i.Contract, headerContract)
	case i.Libpython == "":
		return fmt.Errorf("%s has no shared libpython: use a Python built with --enable-shared (Debian: apt-get install libpython3-dev)", python)
	case i.Library == "":
		return fmt.Errorf("%s has the binding without its library for Python %s: run `%s -m pip install --force-reinstall tyk-cffi`", python, i.Python, python)
	}
	return nil
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}
