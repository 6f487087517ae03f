package driver

import "time"

// Options configures the start of a Backend.
type Options struct {
	// Interpreter is the path of a python; empty to look for one.
	Interpreter string
	// PythonVersion is coprocess_options.python_version, for example "3.12".
	PythonVersion string
	// Host provides the gateway's services.
	Host Host
	// Running is how many calls use the interpreter at once; 0 for the default.
	Running int
	// MaxCalls is how many calls may be inside Python at once, blocked ones included
	// (each occupies a thread); 0 for the default.
	MaxCalls int
	// Limits bounds the data passed between the gateway and Python.
	Limits Limits
	// LogLevel is the lowest level that Host logs: "debug", "info", "warning" or
	// "error". Python creates no records below it. Empty means "debug".
	LogLevel string
	// ImportTimeout bounds Load, Bind and similar calls; 0 for DefaultImportTimeout.
	ImportTimeout time.Duration
}

// Defaults of Options.
const (
	DefaultRunning       = 1
	DefaultMaxCalls      = 512
	DefaultImportTimeout = 30 * time.Second
)

// OrDefault returns o with zeros replaced by defaults.
func (o Options) OrDefault() Options {
	o.Running = positiveOr(o.Running, DefaultRunning)
	o.MaxCalls = positiveOr(o.MaxCalls, DefaultMaxCalls)
	o.ImportTimeout = positiveOr(o.ImportTimeout, DefaultImportTimeout)
	o.Limits = o.Limits.OrDefault()
	return o
}
