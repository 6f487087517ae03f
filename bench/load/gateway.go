package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const plugin = `
from tyk.decorators import *

@Pre
def add_header(request, session, spec):
    request.add_header("X-Added", "yes")
    return request, session
`

// bundleName names the bundle of the hooked API for Tyk's own driver, which loads bundles only
// and fails to call typed decorators.
const bundleName = "bench.zip"

// startGateway starts a binary with two APIs, one with a hook and one without, in a
// temporary folder. more has additional settings, as JSON.
func startGateway(binary, upstream, more string, stock bool) (address string, stop func(), err error) {
	folder, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return "", nil, err
	}
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	settings := map[string]any{
		"listen_address": "127.0.0.1", "listen_port": port, "secret": "bench", "app_path": "apps",
		"middleware_path": "middleware", "log_level": "error",
		"coprocess_options": map[string]any{"enable_coprocess": true},
	}
	if err := json.Unmarshal([]byte(more), &settings); err != nil {
		return "", nil, fmt.Errorf("GATEWAY_SETTINGS: %w", err)
	}
	files := map[string]any{
		"tyk.conf":                    settings,
		"apps/plain.json":             definition("plain", upstream, nil),
		"apps/hooked.json":            definition("hooked", upstream, []string{"add_header"}),
		"middleware/python/plugin.py": plugin,
	}
	if stock {
		sum := md5.Sum([]byte(bundleName)) // how Tyk names the folder
		unpacked := "middleware/bundles/" + hex.EncodeToString(sum[:]) + "/"
		hooked := definition("hooked", upstream, []string{"add_header"})
		files[unpacked+"manifest.json"] = map[string]any{
			"file_list": []string{"middleware.py"}, "custom_middleware": hooked["custom_middleware"],
		}
		files[unpacked+"middleware.py"] = strings.Replace(plugin, "@Pre", "@Hook", 1)
		delete(files, "middleware/python/plugin.py")
		delete(hooked, "custom_middleware")
		hooked["custom_middleware_bundle"] = bundleName
		files["apps/hooked.json"] = hooked
		settings["enable_bundle_downloader"] = true
		settings["bundle_base_url"] = "file:///nowhere" // it is unpacked already
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		data, isText := content.(string)
		if !isText {
			encoded, _ := json.Marshal(content)
			data = string(encoded)
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", nil, err
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			return "", nil, err
		}
	}
	absolute, err := filepath.Abs(binary)
	if err != nil {
		return "", nil, err
	}
	command := exec.Command(absolute, "--conf", "tyk.conf")
	command.Dir, command.Stderr = folder, os.Stderr
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	stop = func() {
		_ = command.Process.Signal(os.Interrupt)
		_ = command.Wait()
		_ = os.RemoveAll(folder)
	}
	address = fmt.Sprintf("127.0.0.1:%d", port)
	return address, stop, wait("http://" + address + "/hooked/")
}

func definition(name, upstream string, hooks []string) map[string]any {
	pre := []map[string]any{}
	for _, hook := range hooks {
		pre = append(pre, map[string]any{"name": hook})
	}
	return map[string]any{
		"name": name, "api_id": name, "org_id": "default", "active": true, "use_keyless": true,
		"proxy": map[string]any{"listen_path": "/" + name + "/", "target_url": upstream, "strip_listen_path": true},
		"version_data": map[string]any{
			"not_versioned": true, "versions": map[string]any{"Default": map[string]any{"name": "Default"}},
		},
		"custom_middleware": map[string]any{"pre": pre, "driver": "python"},
	}
}

func wait(url string) error {
	for range 300 {
		response, err := http.Get(url)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s does not respond 200", strings.TrimSuffix(url, "/"))
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
