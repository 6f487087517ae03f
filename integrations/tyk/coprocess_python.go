//go:build cgo && coprocess && python

// Package gateway: this file replaces Tyk's Python driver in Tyk's source tree (see
// docs/tyk.md). It adapts package driver, which runs Python, to Tyk.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/inproc"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// Tyk creates a Python driver only when it loads the first bundle. This one is registered
// from the beginning, so that APIs without a bundle are served too.
func init() { loadedDrivers[apidef.PythonDriver] = &PythonDispatcher{} }

// PythonDispatcher implements coprocess.Dispatcher.
type PythonDispatcher struct {
	coprocess.Dispatcher // methods that only other languages use

	gateway  atomic.Pointer[Gateway]
	starting sync.Mutex
	runtime  *registry.Registry
	failed   error // why Python did not start; a reload tries again
	hooks    registry.Table[hookKey]
	events   eventBudget
}

// gatewayStarts starts Python if it is enabled.
func (d *PythonDispatcher) gatewayStarts(gw *Gateway) {
	d.gateway.Store(gw)
	d.startIfEnabled()
}

// minStop is the time for stopping plugins if Tyk's own limit has already passed, maxStop
// if there is no limit.
const (
	minStop = time.Second
	maxStop = 30 * time.Second
)

// gatewayStops stops plugins within Tyk's limit.
func (d *PythonDispatcher) gatewayStops(ctx context.Context) {
	d.starting.Lock()
	rt := d.runtime
	d.starting.Unlock()
	if rt == nil {
		return
	}
	limit := maxStop
	if deadline, ok := ctx.Deadline(); ok {
		limit = max(minStop, time.Until(deadline))
	}
	if err := rt.Stop(limit); err != nil {
		logPythonError(err)
	}
}

// startIfEnabled starts Python if it is enabled. If Python is disabled or does not start,
// it returns nil; it logs the reason of a failure.
func (d *PythonDispatcher) startIfEnabled() *registry.Registry {
	if !d.config().CoProcessOptions.EnableCoProcess {
		return nil
	}
	rt, err := d.started()
	if err != nil {
		logPythonError(err)
		return nil
	}
	return rt
}

func (d *PythonDispatcher) config() config.Config {
	if gw := d.gateway.Load(); gw != nil {
		return gw.GetConfig()
	}
	return config.Global()
}

// NewPythonDispatcher starts and returns the driver.
func NewPythonDispatcher(config.Config) (coprocess.Dispatcher, error) {
	d := loadedDrivers[apidef.PythonDriver].(*PythonDispatcher)
	_, err := d.started()
	return d, err
}

// started starts Python and loads the folders, once. After a failure only a reload tries
// again.
func (d *PythonDispatcher) started() (*registry.Registry, error) {
	d.starting.Lock()
	defer d.starting.Unlock()
	if d.runtime != nil || d.failed != nil {
		return d.runtime, d.failed
	}
	conf := d.config()
	rt, err := d.start(&conf)
	if err != nil {
		d.failed = fmt.Errorf("python: %w", err)
		return nil, d.failed
	}
	pythonLog.Info(rt.Describe())
	d.runtime = rt
	d.loadFolders(rt, &conf)
	return rt, nil
}

func (d *PythonDispatcher) start(conf *config.Config) (*registry.Registry, error) {
	settings, err := readPythonOptions(conf.Private.OriginalPath)
	if err != nil {
		return nil, err
	}
	d.events.limit = settings.MaxEventsBytes
	options := driver.Options{
		PythonVersion: conf.CoProcessOptions.PythonVersion, LogLevel: pythonLogLevel(),
		Host: &pythonHost{store: newPythonStore(conf), dispatcher: d},
	}
	settings.Apply(&options)
	backend, err := inproc.Start(options)
	if err != nil {
		return nil, err
	}
	return registry.New(backend), nil
}

// loadFolders loads <middleware_path>/python and event_handlers, as far as they exist.
func (d *PythonDispatcher) loadFolders(rt *registry.Registry, conf *config.Config) {
	for _, source := range registry.Folders(conf.MiddlewarePath, conf.CoProcessOptions.PythonPathPrefix, d.inDirectory()) {
		d.load(rt, source)
	}
}

// load loads a source and logs errors and warnings.
func (d *PythonDispatcher) load(rt *registry.Registry, source driver.Source) {
	loaded, err := rt.Load(source)
	if errors.Is(err, fs.ErrNotExist) && len(source.Keep) == 0 {
		return
	}
	if err != nil {
		logPythonError(err)
	}
	for module, traceback := range loaded.Failures {
		pythonLog.Errorf("%s: loading module %s failed\n%s", source.Path, module, traceback)
	}
	for _, warning := range loaded.Warnings {
		pythonLog.Warn(warning)
	}
}

// Dispatch runs the hook named by object.
func (d *PythonDispatcher) Dispatch(object *coprocess.Object) (*coprocess.Object, error) {
	return d.DispatchWithContext(context.Background(), object)
}

// DispatchWithContext runs the hook named by object. The context bounds the wait for the
// interpreter. Tyk compares the reply with object, so they share no maps.
func (d *PythonDispatcher) DispatchWithContext(c context.Context, object *coprocess.Object) (*coprocess.Object, error) {
	hook, err := d.hook(object)
	if err != nil {
		logPythonError(err)
		return nil, err
	}
	defer hook.Release()
	call, err := callOf(object)
	if err != nil {
		return nil, err
	}
	reply, err := hook.Dispatch(c, call)
	if err != nil {
		logPythonError(err)
		return nil, err
	}
	return replyTo(object, reply)
}

// HandleMiddlewareCache loads a bundle's code. Tyk calls it for each API of the bundle at
// each reload, before the new definitions serve. Unchanged code is not loaded again.
func (d *PythonDispatcher) HandleMiddlewareCache(manifest *apidef.BundleManifest, path string) {
	rt := d.startIfEnabled()
	if rt == nil {
		return
	}
	hooks := hooksOf(&manifest.CustomMiddleware)
	d.load(rt, registry.Bundle(filepath.Base(path), path, manifest.FileList, hooks))
}

// Reload reloads changed code of the folders. Tyk calls it when the new definitions serve.
// If Python has not started, Reload tries again: what was missing may be installed now.
func (d *PythonDispatcher) Reload() {
	d.starting.Lock()
	d.failed = nil
	d.starting.Unlock()
	rt := d.startIfEnabled()
	if rt == nil {
		return
	}
	conf := d.config()
	if err := rt.SetLogLevel(pythonLogLevel()); err != nil {
		logPythonError(err)
	}
	d.loadFolders(rt, &conf)
	d.hooks.Reset()
}

// logPythonError logs an error with its traceback, if it has one.
func logPythonError(err error) {
	var failure *driver.Error
	if errors.As(err, &failure) {
		pythonLog.Error(failure.Detail())
		return
	}
	pythonLog.Error(err)
}
