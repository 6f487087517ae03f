package host

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Settings are the settings in tyk.conf. They have Tyk's names, also as environment
// variables (TYK_GW_LISTENPORT). Unknown settings are ignored.
type Settings struct {
	ListenAddress string `json:"listen_address" env:"LISTENADDRESS"`
	ListenPort    int    `json:"listen_port" env:"LISTENPORT"`
	// Secret protects the control API; if it is empty, the control API is disabled.
	Secret         string `json:"secret" env:"SECRET"`
	AppPath        string `json:"app_path" env:"APPPATH"`
	MiddlewarePath string `json:"middleware_path" env:"MIDDLEWAREPATH"`
	LogLevel       string `json:"log_level" env:"LOGLEVEL"`

	HTTPServer HTTPServerSettings `json:"http_server_options" envPrefix:"HTTPSERVEROPTIONS_"`
	// ProxyDefaultTimeout is how many seconds an upstream may take to accept a connection,
	// and to start its response.
	ProxyDefaultTimeout float64 `json:"proxy_default_timeout" env:"PROXYDEFAULTTIMEOUT"`

	EnableBundleDownloader bool   `json:"enable_bundle_downloader" env:"ENABLEBUNDLEDOWNLOADER"`
	BundleBaseURL          string `json:"bundle_base_url" env:"BUNDLEBASEURL"`
	PublicKeyPath          string `json:"public_key_path" env:"PUBLICKEYPATH"`

	Storage  StorageSettings `json:"storage" envPrefix:"STORAGE_"`
	Policies PolicySettings  `json:"policies" envPrefix:"POLICIES_"`
	ShutdownSettings
	Coprocess CoprocessSettings `json:"coprocess_options" envPrefix:"COPROCESSOPTIONS_"`

	// EventHandlers are for every API, in addition to those of its definition.
	EventHandlers EventHandlers `json:"event_handlers"`

	ignored []string // settings of Tyk's that this gateway does not act on
}

// HTTPServerSettings are the settings of client connections. Timeouts are in seconds; 0
// means the default.
type HTTPServerSettings struct {
	ReadTimeout      int  `json:"read_timeout" env:"READTIMEOUT"`
	WriteTimeout     int  `json:"write_timeout" env:"WRITETIMEOUT"`
	EnableWebSockets bool `json:"enable_websockets" env:"ENABLEWEBSOCKETS"`
}

// StorageSettings selects the store: "embedded" (the default) or "redis".
type StorageSettings struct {
	Type     string `json:"type" env:"TYPE"`
	Host     string `json:"host" env:"HOST"`
	Port     int    `json:"port" env:"PORT"`
	Username string `json:"username" env:"USERNAME"`
	Password string `json:"password" env:"PASSWORD"`
	Database int    `json:"database" env:"DATABASE"`
}

// PolicySettings tells where policies are; "file" is the only supported source.
type PolicySettings struct {
	Source     string `json:"policy_source" env:"POLICYSOURCE"`
	RecordName string `json:"policy_record_name" env:"POLICYRECORDNAME"`
}

// fromFile tells whether policies are read from a file, which is also what Tyk does where
// only policy_record_name is set.
func (p PolicySettings) fromFile() bool {
	return (p.Source == "file" || p.Source == "") && p.RecordName != ""
}

func (p PolicySettings) check() error {
	if p.Source == "file" && p.RecordName == "" {
		return errors.New(`policies.policy_source is "file", and policies.policy_record_name names none`)
	}
	return nil
}

// CoprocessSettings are the settings of Python.
type CoprocessSettings struct {
	Enable           bool   `json:"enable_coprocess" env:"ENABLECOPROCESS"`
	PythonPathPrefix string `json:"python_path_prefix" env:"PYTHONPATHPREFIX"`
	PythonVersion    string `json:"python_version" env:"PYTHONVERSION"`
	// RequireSignedManifest refuses bundles whose manifest is not signed.
	RequireSignedManifest bool `json:"require_signed_manifest" env:"REQUIRESIGNEDMANIFEST"`
	// MaxBodiesBytes bounds the bodies of all requests in memory. A request that would
	// exceed it waits for memory; if it waits too long, the response is 503.
	MaxBodiesBytes int64 `json:"max_bodies_bytes" env:"MAXBODIESBYTES"`
	driver.Settings
}

// LoadSettings reads the settings file, then the environment. Its errors are one line.
func LoadSettings(file string) (*Settings, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, fmt.Errorf("settings: %w: name a settings file with --conf", err)
	}
	s := &Settings{
		ListenAddress: "127.0.0.1", ListenPort: 8080, AppPath: "apps", MiddlewarePath: "middleware",
		LogLevel:   "info",
		HTTPServer: HTTPServerSettings{EnableWebSockets: true},
		Storage:    StorageSettings{Host: "127.0.0.1", Port: 6379},
		Coprocess:  CoprocessSettings{MaxBodiesBytes: defaultBodiesBytes, Settings: driver.DefaultSettings},
	}
	if err := decodeFile(file, data, s); err != nil {
		return nil, err
	}
	if err := parseEnvironment(s); err != nil {
		return nil, err
	}
	if s.ignored, err = checkUnsupported(data); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if s.ListenPort < 1 || s.ListenPort > 65535 {
		return nil, fmt.Errorf("%s: listen_port %d is not a valid port", file, s.ListenPort)
	}
	if err := errors.Join(s.checkTimeouts(), s.checkLimits(), s.Policies.check()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s, s.absolute()
}

// level is log_level; Tyk's "warn" and an empty one are known too.
func (s *Settings) level() (level slog.Level, name string, err error) {
	switch name = strings.ToLower(s.LogLevel); name {
	case "":
		name = "info"
	case "warn":
		name = "warning"
	}
	level, known := levels[name]
	if !known {
		err = fmt.Errorf("log_level %q: it must be debug, info, warning or error", s.LogLevel)
	}
	return level, name, err
}

// absolute makes all paths absolute: plugin code may change the working directory.
func (s *Settings) absolute() error {
	paths := []*string{&s.AppPath, &s.MiddlewarePath, &s.PublicKeyPath, &s.Coprocess.PythonPathPrefix}
	if s.Policies.fromFile() {
		paths = append(paths, &s.Policies.RecordName)
	}
	for _, path := range paths {
		if *path == "" && path != &s.Coprocess.PythonPathPrefix {
			continue // not set; event_handlers/ is then in the working directory
		}
		full, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("settings: %w", err)
		}
		*path = full
	}
	return nil
}
