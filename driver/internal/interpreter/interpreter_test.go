package interpreter

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakePython writes a script that stands for an interpreter.
func fakePython(t *testing.T, name, script string) string {
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTheInterpreterIsChosenInTheDocumentedOrder(t *testing.T) {
	byEnv := fakePython(t, "mine", "")
	byVersion := fakePython(t, "python3.99", "")
	plain := fakePython(t, "python3", "")
	venv := filepath.Dir(t.TempDir())
	if err := os.MkdirAll(filepath.Join(venv, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	inVenv := filepath.Join(venv, "bin", "python")
	if err := os.Symlink(plain, inVenv); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(byVersion)+":"+filepath.Dir(plain))
	for _, c := range []struct{ env, version, venv, want string }{
		{byEnv, "3.99", venv, byEnv},
		{"", "3.99", venv, byVersion},
		{"", "", venv, inVenv},
		{"", "", "", plain},
	} {
		t.Setenv("TYK_CFFI_PYTHON", c.env)
		t.Setenv("VIRTUAL_ENV", c.venv)
		if got, err := Find(c.version); got != c.want || err != nil {
			t.Errorf("%+v: got %s, %v", c, got, err)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	for script, want := range map[string]string{
		"echo \"$0: No module named tyk_cffi\" >&2; exit 1": "is not installed in",
		"echo broken >&2; exit 1":                           "broken",
		"echo hello":                                        "did not print JSON",
	} {
		_, err := Query(fakePython(t, "python", script))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", script, err)
		}
	}
	t.Setenv("TYK_CFFI_PYTHON", "/nowhere/python")
	if _, err := Find(""); err == nil || !strings.Contains(err.Error(), "TYK_CFFI_PYTHON") {
		t.Error(err)
	}
}
