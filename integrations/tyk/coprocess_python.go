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

	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Tyk makes a Python driver when it loads the first bundle only. This one is
// there from the beginning, so that APIs without a bundle are served too.
func init() {
	d := &PythonDispatcher{}
	loadedDrivers[apidef.PythonDriver] = d
	log.AddHook(&startHook{dispatcher: d})
}

// startHook starts Python as soon as Tyk has read its settings: nothing of Tyk
// tells a driver, but it logs, and then the settings are there.
type startHook struct {
	dispatcher *PythonDispatcher
	once       sync.Once
}

// Levels returns all of them.
func (h *startHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire is called with each record of the log; it does its work once.
func (h *startHook) Fire(*logrus.Entry) error {
	if config.Global != nil {
		h.once.Do(func() { go h.dispatcher.startIfEnabled() })
	}
	return nil
}

// startIfEnabled starts Python where the settings want it, and tells the log why
// it did not start; nil then.
func (d *PythonDispatcher) startIfEnabled() *driver.Runtime {
	if !config.Global().CoProcessOptions.EnableCoProcess {
		return nil
	}
	rt, err := d.start()
	if err != nil {
		logPythonError(err)
		return nil
	}
	return rt
}

// PythonDispatcher implements coprocess.Dispatcher.
type PythonDispatcher struct {
	coprocess.Dispatcher // what only other languages use

	starting sync.Mutex
	runtime  *driver.Runtime
	failed   error    // why it did not start; tried again at a reload
	hooks    sync.Map // hookKey → *driver.Hook
	apis     sync.Map // APIID → *keptAPI, those with event handlers in Python
	reloads  atomic.Int64
}

// keptAPI is an API as Tyk loaded it last, and the reload at which it did.
type keptAPI struct {
	*APISpec
	reload int64
}

// keepAPI is told of each API that has event handlers, at each load of it.
func (d *PythonDispatcher) keepAPI(api *APISpec) {
	d.apis.Store(api.APIID, &keptAPI{api, d.reloads.Load()})
}

// NewPythonDispatcher returns the driver, started.
func NewPythonDispatcher(config.Config) (coprocess.Dispatcher, error) {
	d := loadedDrivers[apidef.PythonDriver].(*PythonDispatcher)
	_, err := d.start()
	return d, err
}

// start starts Python and loads the folders, once; requests do not try again what
// has failed.
func (d *PythonDispatcher) start() (*driver.Runtime, error) {
	d.starting.Lock()
	defer d.starting.Unlock()
	if d.runtime != nil || d.failed != nil {
		return d.runtime, d.failed
	}
	conf := config.Global()
	rt, err := driver.Start(driver.Options{
		PythonVersion: conf.CoProcessOptions.PythonVersion,
		Host:          &pythonHost{store: newPythonStore(&conf), dispatcher: d},
	})
	if err != nil {
		d.failed = fmt.Errorf("python: %w", err)
		return nil, d.failed
	}
	pythonLog.Info(rt.Describe())
	d.runtime = rt
	d.loadFolders(rt, &conf)
	return rt, nil
}

// loadFolders loads <middleware_path>/python and event_handlers.
func (d *PythonDispatcher) loadFolders(rt *driver.Runtime, conf *config.Config) {
	for key, path := range map[string]string{
		driver.DirectoryKey: filepath.Join(conf.MiddlewarePath, "python"),
		driver.EventsKey:    filepath.Join(conf.CoProcessOptions.PythonPathPrefix, "event_handlers"),
	} {
		if _, err := os.Stat(path); err == nil {
			d.load(rt, driver.Source{Key: key, Path: path})
		}
	}
}

// load loads a source and tells the log what is wrong with it.
func (d *PythonDispatcher) load(rt *driver.Runtime, source driver.Source) {
	source.Keep = d.bound(source.Key)
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
		return nil, err
	}
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

// hookKey is everything that makes a hook another one.
type hookKey struct {
	source, name, api, org, config string
	hookType                       driver.HookType
	rawBodyOnly                    bool
}

// hook returns the bound hook of object; it is bound when first asked for.
func (d *PythonDispatcher) hook(object *coprocess.Object) (*driver.Hook, error) {
	request := object.Request
	key := hookKey{
		source: object.Spec["bundle_hash"], name: object.HookName, api: object.Spec["APIID"],
		org: object.Spec["OrgID"], config: object.Spec["config_data"],
		hookType:    driver.HookType(object.HookType),
		rawBodyOnly: request.Body == "" && len(request.RawBody) > 0,
	}
	if hook, ok := d.hooks.Load(key); ok {
		return hook.(*driver.Hook), nil
	}
	rt, err := d.start()
	if err != nil {
		return nil, err
	}
	hook, err := rt.Bind(driver.Binding{
		Source: key.source, Type: key.hookType, Name: key.name, Spec: object.Spec,
		RawBodyOnly: key.rawBodyOnly,
	})
	if err != nil {
		return nil, err
	}
	if other, loaded := d.hooks.LoadOrStore(key, hook); loaded {
		hook.Close()
		return other.(*driver.Hook), nil
	}
	return hook, nil
}

// bound lists the hooks of a source that APIs use: code without them does not
// replace code that has them.
func (d *PythonDispatcher) bound(source string) (names []driver.HookName) {
	d.hooks.Range(func(k, _ any) bool {
		if key := k.(hookKey); key.source == source {
			names = append(names, driver.HookName{Type: key.hookType, Name: key.name})
		}
		return true
	})
	return names
}

// DispatchEvent calls an event handler; Tyk gives each event a goroutine.
func (d *PythonDispatcher) DispatchEvent(event []byte) {
	rt, err := d.start()
	if err == nil {
		err = rt.DispatchEvent(context.Background(), event)
	}
	if err != nil {
		logPythonError(err)
	}
}

// HandleMiddlewareCache loads a bundle's code; Tyk calls it for each API of the
// bundle at each reload, and unchanged code is left as it is.
func (d *PythonDispatcher) HandleMiddlewareCache(manifest *apidef.BundleManifest, path string) {
	rt := d.startIfEnabled()
	if rt == nil {
		return
	}
	entry := "middleware"
	if list := manifest.FileList; len(list) == 1 && filepath.Ext(list[0]) == ".py" {
		entry = list[0][:len(list[0])-len(".py")]
	}
	d.load(rt, driver.Source{Key: filepath.Base(path), Path: path, Entry: entry})
}

// Reload takes up changed code of the folders. Bindings are made anew with the
// next request, so that those of APIs that are gone do not pile up; the old
// ones are closed when no request can be in them any more. Python that did not
// start is tried again: what was missing may have been installed.
func (d *PythonDispatcher) Reload() {
	d.starting.Lock()
	d.failed = nil
	d.starting.Unlock()
	rt := d.startIfEnabled()
	if rt == nil {
		return
	}
	conf := config.Global()
	d.loadFolders(rt, &conf)
	// Tyk has just loaded all APIs anew: those that it did not are gone.
	current := d.reloads.Add(1) - 1
	d.apis.Range(func(id, api any) bool {
		if api.(*keptAPI).reload < current {
			d.apis.Delete(id)
		}
		return true
	})
	var old []*driver.Hook
	d.hooks.Range(func(key, hook any) bool {
		d.hooks.Delete(key)
		old = append(old, hook.(*driver.Hook))
		return true
	})
	time.AfterFunc(time.Minute, func() {
		for _, hook := range old {
			hook.Close()
		}
	})
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
