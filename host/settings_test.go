package host

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func settingsFile(t *testing.T, content string) string {
	file := filepath.Join(t.TempDir(), "tyk.conf")
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestTheEnvironmentWinsOverTheFileUnderTyksNames(t *testing.T) {
	for name, value := range map[string]string{
		"LISTENPORT": "9000", "SECRET": "s", "APPPATH": "a", "MIDDLEWAREPATH": "m", "LOGLEVEL": "debug",
		"STORAGE_TYPE": "redis", "STORAGE_HOST": "h", "STORAGE_PORT": "7", "STORAGE_USERNAME": "u",
		"STORAGE_PASSWORD": "p", "STORAGE_DATABASE": "3", "ENABLEBUNDLEDOWNLOADER": "true",
		"BUNDLEBASEURL": "file:///b", "PUBLICKEYPATH": "k", "COPROCESSOPTIONS_ENABLECOPROCESS": "true",
		"COPROCESSOPTIONS_PYTHONVERSION": "3.12", "COPROCESSOPTIONS_PYTHONPATHPREFIX": "x",
		"HTTPSERVEROPTIONS_READTIMEOUT": "1", "HTTPSERVEROPTIONS_WRITETIMEOUT": "2",
		"HTTPSERVEROPTIONS_ENABLEWEBSOCKETS": "false", "PROXYDEFAULTTIMEOUT": "2.5",
		"COPROCESSOPTIONS_REQUIRESIGNEDMANIFEST": "true", "POLICIES_POLICYSOURCE": "file", "POLICIES_POLICYRECORDNAME": "r",
	} {
		t.Setenv("TYK_GW_"+name, value)
	}
	s, err := LoadSettings(settingsFile(t, `{"listen_port": 1, "secret": "file", "unknown": {}, "listen_address": "127.0.0.2"}`))
	if err != nil {
		t.Fatal(err)
	}
	full := func(path string) string { path, _ = filepath.Abs(path); return path }
	want := Settings{
		ListenAddress: "127.0.0.2", ListenPort: 9000, Secret: "s", AppPath: full("a"), MiddlewarePath: full("m"), LogLevel: "debug",
		HTTPServer: HTTPServerSettings{1, 2, false}, ProxyDefaultTimeout: 2.5,
		EnableBundleDownloader: true, BundleBaseURL: "file:///b", PublicKeyPath: full("k"),
		Storage:   StorageSettings{"redis", "h", 7, "u", "p", 3},
		Policies:  PolicySettings{"file", full("r")},
		Coprocess: CoprocessSettings{Enable: true, RequireSignedManifest: true, PythonVersion: "3.12", PythonPathPrefix: full("x"), MaxBodiesBytes: defaultBodiesBytes, Settings: driver.DefaultSettings},
	}
	if !reflect.DeepEqual(*s, want) {
		t.Errorf("got  %+v\nwant %+v", *s, want)
	}
}

func TestSettingsListenOnLoopbackUnlessTold(t *testing.T) {
	s, err := LoadSettings(settingsFile(t, `{}`))
	if err != nil || s.ListenAddress != "127.0.0.1" {
		t.Error(s, err)
	}
}

func TestWrongSettingsNameTheFileAndTheLine(t *testing.T) {
	for content, want := range map[string]string{
		"{\n\"listen_port\": }":                                "tyk.conf:2",
		"{\n\n\"listen_port\": \"a\"}":                         "tyk.conf:3",
		`{"listen_port": 70000}`:                               "listen_port 70000",
		`{"http_server_options": {"read_timeout": -1}}`:        "http_server_options.read_timeout -1",
		`{"http_server_options": {"write_timeout": 99999999}}`: "http_server_options.write_timeout 9.9999999e+07",
		`{"proxy_default_timeout": -0.5}`:                      "proxy_default_timeout -0.5",
	} {
		if _, err := LoadSettings(settingsFile(t, content)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestAWrongVariableIsNamed(t *testing.T) {
	t.Setenv("TYK_GW_STORAGE_PORT", "hunter22")
	_, err := LoadSettings(settingsFile(t, `{}`))
	if err == nil || !strings.Contains(err.Error(), "TYK_GW_STORAGE_PORT") || strings.Contains(err.Error(), "hunter22") {
		t.Error(err)
	}
}

func TestSettingsThatProtectAreNotLeftOutInSilence(t *testing.T) {
	for content, setting := range map[string]string{
		`{"http_server_options": {"use_ssl": true}}`:                "http_server_options.use_ssl",
		`{"HTTP_server_options": {"USE_SSL": true}}`:                "http_server_options.use_ssl",
		`{"storage": {"use_ssl": true}}`:                            "storage.use_ssl",
		`{"storage": {"addrs": ["a:1"]}}`:                           "storage.addrs",
		`{"storage": {"enable_cluster": true}}`:                     "storage.enable_cluster",
		`{"control_api_port": 9000}`:                                "control_api_port",
		`{"control_api_hostname": "control"}`:                       "control_api_hostname",
		`{"security": {"control_api_use_mutual_tls": true}}`:        "security.control_api_use_mutual_tls",
		`{"policies": {"policy_source": "file"}}`:                   "policies.policy_record_name",
		`{"coprocess_options": {"running": -1}}`:                    "coprocess_options.running",
		`{"coprocess_options": {"max_calls": 1000000000}}`:          "coprocess_options.max_calls",
		`{"coprocess_options": {"max_body_bytes": 1` + zeros + `}}`: "between",
	} {
		if _, err := LoadSettings(settingsFile(t, content)); err == nil || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", content, err)
		}
	}
	for content, ignored := range map[string]string{
		`{"hash_keys": true, "enforce_org_quotas": true}`:                                  "[enforce_org_quotas hash_keys]",
		`{"http_server_options": {"max_request_body_size": 5}}`:                            "[http_server_options.max_request_body_size]",
		`{"coprocess_options": {"require_signed_manifests": true, "grpc_authority": "x"}}`: "[coprocess_options.require_signed_manifests]",
		`{"coprocess_options": {"Require_Signed_Manifest": true}, "hash_keys": false, "node_secret": "x", "control_api_port": 0,
		  "storage": {"addrs": [], "use_ssl": false, "optimisation_max_idle": 5}, "http_server_options": {"use_ssl": false}, "security": null}`: "[]",
	} {
		s, err := LoadSettings(settingsFile(t, content))
		if err != nil || fmt.Sprint(s.ignored) != ignored {
			t.Errorf("%s: %v %v", content, s, err)
		}
	}
	t.Setenv("TYK_GW_HTTPSERVEROPTIONS_USESSL", "true")
	if _, err := LoadSettings(settingsFile(t, `{}`)); err == nil {
		t.Error("use_ssl from the environment is not seen")
	}
}

const zeros = "000000000000000000"

func TestLogLevelsHaveTyksNames(t *testing.T) {
	for given, want := range map[string]string{"": "info", "INFO": "info", "warn": "warning", "warning": "warning", "Debug": "debug", "info+2": "?", "chatty": "?"} {
		if _, name, err := (&Settings{LogLevel: given}).level(); (err != nil) != (want == "?") || err == nil && name != want {
			t.Errorf("%q: %q %v", given, name, err)
		}
	}
}

func TestLimitsThatCannotHoldAreRefused(t *testing.T) {
	sound := func() *Settings {
		return &Settings{Coprocess: CoprocessSettings{MaxBodiesBytes: defaultBodiesBytes, Settings: driver.DefaultSettings}}
	}
	if err := sound().checkLimits(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Settings){
		"max_body_bytes":    func(s *Settings) { s.Coprocess.MaxBodyBytes = -1 },
		"max_bodies_bytes":  func(s *Settings) { s.Coprocess.MaxBodiesBytes = 64 << 20 }, // not even one
		"max_events_bytes":  func(s *Settings) { s.Coprocess.MaxEventsBytes = 1 },
		"max_log_bytes":     func(s *Settings) { s.Coprocess.MaxLogBytes = 0 },
		"import_timeout_ms": func(s *Settings) { s.Coprocess.ImportTimeoutMS = 1 << 62 },
		"shutdown_timeout":  func(s *Settings) { s.ShutdownTimeout = -1 },
		"graceful_shutdown": func(s *Settings) { s.GracefulShutdownTimeout = 1 << 40 },
	} {
		s := sound()
		spoil(s)
		if err := s.checkLimits(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheTimeToStopIsOursOrTyks(t *testing.T) {
	for _, c := range []struct {
		ours, tyks int64
		want       time.Duration
	}{{0, 0, defaultShutdown}, {5, 0, 5 * time.Second}, {0, 7, 7 * time.Second}, {5, 7, 5 * time.Second}} {
		if got := (ShutdownSettings{c.ours, c.tyks}).limit(); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
