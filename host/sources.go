package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// sources are the folders of plugin code that the definitions use, each loaded once.
type sources struct {
	python  map[string]*driver.Source
	bundles map[string]*bundle // by name
}

// findSources collects what the definitions need: the directory, the event
// handlers, and bundles, which are brought up to date.
func (g *Gateway) findSources(definitions []*Definition) *sources {
	prefix := g.settings.Coprocess.PythonPathPrefix
	s := &sources{
		python: map[string]*driver.Source{
			driver.EventsKey: {Key: driver.EventsKey, Path: filepath.Join(prefix, "event_handlers")},
			driver.DirectoryKey: {
				Key: driver.DirectoryKey, Path: filepath.Join(g.settings.MiddlewarePath, "python"),
			},
		},
		bundles: map[string]*bundle{},
	}
	for _, d := range definitions {
		if d.usesBundle() && s.bundles[d.Bundle] == nil {
			s.bundles[d.Bundle] = g.fetchBundle(d.Bundle)
		}
		key, middleware, err := s.of(d)
		if err != nil {
			continue
		}
		if b := s.bundles[d.Bundle]; b != nil && d.usesBundle() && s.python[key] == nil {
			s.python[key] = &driver.Source{Key: key, Path: b.folder, Entry: b.entry()}
		}
		source := s.python[key]
		source.Keep = append(source.Keep, hookNames(middleware, d.customAuth())...)
	}
	return s
}

// of returns the source of an API's hooks, and the section that names them.
func (s *sources) of(d *Definition) (key string, m *CustomMiddleware, err error) {
	if !d.usesBundle() {
		return driver.DirectoryKey, &d.CustomMiddleware, nil
	}
	b := s.bundles[d.Bundle]
	if b.manifest == nil {
		return "", nil, b.err
	}
	return b.key, &b.manifest.CustomMiddleware, nil
}

// load loads all sources; those that fail keep their old code.
func (s *sources) load(g *Gateway) (wrong refusals) {
	r := &reload{g: g}
	for _, b := range s.bundles {
		if b.err != nil {
			r.refuse("bundles", b.name, b.manifest != nil, b.err)
		}
	}
	if g.python == nil {
		return r.refused
	}
	for _, source := range s.python {
		if source.Key == driver.DirectoryKey || source.Key == driver.EventsKey {
			if _, err := os.Stat(source.Path); errors.Is(err, fs.ErrNotExist) {
				continue // nothing there is nothing to load
			}
		}
		loaded, err := g.python.Load(*source)
		if err != nil {
			r.refuse("plugins", source.Path, true, err)
			continue
		}
		for _, warning := range loaded.Warnings {
			g.log.Warn(warning, "source", source.Path)
		}
		for module, traceback := range loaded.Failures {
			err := fmt.Errorf("%s: module %s does not load: %w", source.Path, module, moduleError(traceback))
			r.refuse("plugins", source.Path, false, err)
		}
		g.log.Info("source", "path", source.Path, "changed", loaded.Changed, "hooks", loaded.Hooks, "events", loaded.Events)
	}
	return r.refused
}

// moduleError is the traceback of a module that did not load.
type moduleError string

// Error is its last line: the exception.
func (e moduleError) Error() string {
	text := strings.TrimSpace(string(e))
	return text[strings.LastIndex(text, "\n")+1:]
}

// Detail is the whole.
func (e moduleError) Detail() string { return string(e) }
