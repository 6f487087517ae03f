package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// sources are the sources of plugin code that the definitions use.
type sources struct {
	python  []*driver.Source   // those that are not bundles
	bundles map[string]*bundle // by name
}

// findSources returns the sources of the definitions: the directory, the event handlers,
// and bundles, of which it fetches new versions within limit.
func (g *Gateway) findSources(definitions []*Definition, limit time.Duration) *sources {
	prefix := g.settings.Coprocess.PythonPathPrefix
	directory := &driver.Source{Key: driver.DirectoryKey, Path: filepath.Join(g.settings.MiddlewarePath, "python")}
	s := &sources{python: []*driver.Source{
		{Key: driver.EventsKey, Path: filepath.Join(prefix, "event_handlers")}, directory,
	}}
	names := map[string]bool{}
	for _, d := range definitions {
		if d.usesBundle() {
			names[d.Bundle] = true
			continue
		}
		directory.Keep = append(directory.Keep, hookNames(&d.CustomMiddleware, d.customAuth())...)
	}
	s.bundles = g.fetchBundles(slices.Sorted(maps.Keys(names)), limit)
	return s
}

// forAPI returns the source of an API's hooks, and the section that names them.
func (s *sources) forAPI(d *Definition) (key string, m *CustomMiddleware, err error) {
	if !d.usesBundle() {
		return driver.DirectoryKey, &d.CustomMiddleware, nil
	}
	b := s.bundles[d.Bundle]
	if b.manifest == nil {
		return "", nil, b.err
	}
	return b.key, b.manifest.CustomMiddleware, nil
}

// load loads all sources. Those that fail keep their old code.
func (s *sources) load(r *reload) {
	for _, name := range slices.Sorted(maps.Keys(s.bundles)) {
		b := s.bundles[name]
		if err := b.load(r.g); err != nil {
			b.err = errors.Join(b.err, fmt.Errorf("bundle %q: %w", b.name, err))
		}
		if b.err != nil {
			r.refuse("bundles", b.name, b.manifest != nil, b.err)
		}
	}
	if r.g.python == nil {
		return
	}
	for _, source := range s.python {
		if _, err := os.Stat(source.Path); errors.Is(err, fs.ErrNotExist) {
			if r.old != nil && len(source.Keep) > 0 { // at the first load the definitions say so
				r.refuse("plugins", source.Path, true, fmt.Errorf("%s is not there, and API definitions name hooks in it", source.Path))
			}
			continue // nothing there is nothing to load
		}
		loaded, err := r.g.loadSource(source)
		if err != nil {
			r.refuse("plugins", source.Path, true, err)
			continue
		}
		for module, traceback := range loaded.Failures {
			err := fmt.Errorf("%s: loading module %s: %w", source.Path, module, moduleError(traceback))
			r.refuse("plugins", source.Path, false, err)
		}
	}
}

func (g *Gateway) loadSource(source *driver.Source) (driver.Loaded, error) {
	loaded, err := g.python.Load(*source)
	if err != nil {
		return loaded, err
	}
	for _, warning := range loaded.Warnings {
		g.log.Warn(warning, "source", source.Path)
	}
	g.log.Info("source loaded", "path", source.Path, "changed", loaded.Changed, "hooks", loaded.Hooks, "events", loaded.Events)
	return loaded, nil
}

// load loads the code of a bundle, of the new version if there is one. If that does not
// load, or lacks a hook of its manifest, load restores the old version.
func (b *bundle) load(g *Gateway) error {
	var refused error
	if fresh := b.fresh; fresh != nil {
		if refused = fresh.place(); refused == nil {
			if refused = g.loadBundle(b, fresh.manifest); refused == nil {
				b.manifest = fresh.manifest
				return fresh.commit()
			}
			if err := fresh.rollback(); err != nil {
				return errors.Join(refused, err)
			}
		}
	}
	if b.manifest == nil {
		return refused
	}
	if err := g.loadBundle(b, b.manifest); err != nil {
		b.manifest = nil
		return errors.Join(refused, err)
	}
	return refused
}

// loadBundle loads the code of a bundle from disk. It returns an error if a hook of the
// manifest is missing.
func (g *Gateway) loadBundle(b *bundle, m *Manifest) error {
	if g.python == nil {
		return nil
	}
	entry, keep := m.entry(), hookNames(m.CustomMiddleware, true)
	if entry == entryFile {
		entry = strings.TrimSuffix(entryFile, ".py")
	}
	loaded, err := g.loadSource(&driver.Source{Key: b.key, Path: b.folder, Entry: entry, Keep: keep})
	if err != nil {
		return err
	}
	for module, traceback := range loaded.Failures {
		return fmt.Errorf("loading module %s: %w", module, moduleError(traceback))
	}
	for _, hook := range keep {
		if !slices.Contains(loaded.Hooks, hook.Type.String()+" "+hook.Name) && !slices.Contains(loaded.Hooks, "Hook "+hook.Name) {
			return fmt.Errorf("%s names hook %q (%s), which the code does not define", manifestName, hook.Name, hook.Type)
		}
	}
	return nil
}

// moduleError is the traceback of a module that did not load.
type moduleError string

// Error returns the last line of the traceback: the exception.
func (e moduleError) Error() string {
	text := strings.TrimSpace(string(e))
	return text[strings.LastIndex(text, "\n")+1:]
}

// Detail returns the whole traceback.
func (e moduleError) Detail() string { return string(e) }
