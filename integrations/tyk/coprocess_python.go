//go:build cgo && coprocess && python

// Package gateway: this file takes the place of Tyk's Python driver in Tyk's own
// tree (see docs/tyk.md). It is thin: everything that runs Python is in driver.
package gateway

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Tyk makes a Python driver when it loads the first bundle only. This one is
// there from the beginning, so that APIs without a bundle are served too.
func init() { loadedDrivers[apidef.PythonDriver] = &PythonDispatcher{} }

// PythonDispatcher implements coprocess.Dispatcher.
type PythonDispatcher struct {
	coprocess.Dispatcher // what only other languages use

	gateway  atomic.Pointer[Gateway]
	starting sync.Mutex
	runtime  *driver.Runtime
	failed   error        // why it did not start; tried again at a reload
	hooks    sync.Map     // hookKey → *boundHook
	reloads  atomic.Int64 // how many there were
	events   eventBudget
}

// gatewayStarts starts Python where the settings want it.
func (d *PythonDispatcher) gatewayStarts(gw *Gateway) {
	d.gateway.Store(gw)
	d.startIfEnabled()
}

// minStop is how long plugins have to end when Tyk's own limit has passed already,
// maxStop when there is none.
const (
	minStop = time.Second
	maxStop = 30 * time.Second
)

// gatewayStops lets plugins end within Tyk's limit.
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

// startIfEnabled starts Python where the settings want it, and tells the log why
// it did not start; nil then.
func (d *PythonDispatcher) startIfEnabled() *driver.Runtime {
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

// NewPythonDispatcher returns the driver, started.
func NewPythonDispatcher(config.Config) (coprocess.Dispatcher, error) {
	d := loadedDrivers[apidef.PythonDriver].(*PythonDispatcher)
	_, err := d.started()
	return d, err
}

// started starts Python and loads the folders, once; requests do not try again what
// has failed.
func (d *PythonDispatcher) started() (*driver.Runtime, error) {
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

func (d *PythonDispatcher) start(conf *config.Config) (*driver.Runtime, error) {
	bounds, err := readPythonOptions(conf.Private.OriginalPath)
	if err != nil {
		return nil, err
	}
	d.events.limit = int64(bounds.events)
	options := driver.Options{
		PythonVersion: conf.CoProcessOptions.PythonVersion, LogLevel: pythonLogLevel(),
		Host: &pythonHost{store: newPythonStore(conf), dispatcher: d},
	}
	bounds.apply(&options)
	return driver.Start(options)
}

// loadFolders loads <middleware_path>/python and event_handlers.
func (d *PythonDispatcher) loadFolders(rt *driver.Runtime, conf *config.Config) {
	for _, source := range []driver.Source{
		{
			Key: driver.DirectoryKey, Path: filepath.Join(conf.MiddlewarePath, "python"),
			Keep: hookNames(d.inDirectory()),
		},
		{Key: driver.EventsKey, Path: filepath.Join(conf.CoProcessOptions.PythonPathPrefix, "event_handlers")},
	} {
		if _, err := os.Stat(source.Path); err == nil {
			d.load(rt, source)
		}
	}
}

// load loads a source and tells the log what is wrong with it.
func (d *PythonDispatcher) load(rt *driver.Runtime, source driver.Source) {
	loaded, err := rt.Load(source)
	if err != nil {
		logPythonError(err)
	}
	for module, traceback := range loaded.Failures {
		pythonLog.Errorf("%s: module %s does not load\n%s", source.Path, module, traceback)
	}
	for _, warning := range loaded.Warnings {
		pythonLog.Warn(warning)
	}
}

// Dispatch runs the hook that object names.
func (d *PythonDispatcher) Dispatch(object *coprocess.Object) (*coprocess.Object, error) {
	return d.DispatchWithContext(context.Background(), object)
}

// DispatchWithContext runs the hook that object names; the context bounds the
// wait for the interpreter. Tyk compares what comes back with what it sent, so
// the reply shares no map with object.
func (d *PythonDispatcher) DispatchWithContext(c context.Context, object *coprocess.Object) (*coprocess.Object, error) {
	hook, err := d.hook(object)
	if err != nil {
		logPythonError(err)
		return nil, err
	}
	defer hook.release()
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

// HandleMiddlewareCache loads a bundle's code; Tyk calls it for each API of the
// bundle at each reload, before the new definitions serve. Unchanged code is left
// as it is.
func (d *PythonDispatcher) HandleMiddlewareCache(manifest *apidef.BundleManifest, path string) {
	rt := d.startIfEnabled()
	if rt == nil {
		return
	}
	entry := "middleware"
	if list := manifest.FileList; len(list) == 1 && filepath.Ext(list[0]) == ".py" {
		entry = list[0]
	}
	d.load(rt, driver.Source{
		Key: filepath.Base(path), Path: path, Entry: entry, Keep: hookNames(hooksOf(&manifest.CustomMiddleware)),
	})
}

// Reload takes up changed code of the folders. Tyk calls it when the new definitions
// serve. Python that did not start is tried again: what was missing may have been
// installed.
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
	d.unbind()
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
