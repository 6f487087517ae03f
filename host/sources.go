package host

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// sources are the sources of plugin code that the definitions use.
type sources struct {
	folders []driver.Source    // those that are not bundles
	bundles map[string]*bundle // by name
}

// findSources returns the sources of the definitions: the directory, the event handlers,
// and bundles, of which it fetches new versions within limit.
func (g *Gateway) findSources(definitions []*Definition, limit time.Duration) *sources {
	names := map[string]bool{}
	var inDirectory []registry.Configured
	for _, d := range definitions {
		if d.usesBundle() {
			names[d.Bundle] = true
			continue
		}
		inDirectory = append(inDirectory, configuredHooks(&d.CustomMiddleware, d.customAuth())...)
	}
	return &sources{
		folders: registry.Folders(g.settings.MiddlewarePath, g.settings.Coprocess.PythonPathPrefix, inDirectory),
		bundles: g.fetchBundles(slices.Sorted(maps.Keys(names)), limit),
	}
}

// forAPI returns the source of an API's hooks, and the section that names them.
func (s *sources) forAPI(d *Definition) (key string, m *CustomMiddleware, err error) {
	if !d.usesBundle() {
		return driver.DirectoryKey, &d.CustomMiddleware, nil
	}
	b := s.bundles[d.Bundle]
	if b == nil { // only definitions that are not served have no part in the bundles
		return "", nil, cmp.Or(d.refused, fmt.Errorf("bundle %q was not loaded", d.Bundle))
	}
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
	for _, source := range s.folders {
		loaded, err := r.g.loadSource(source)
		if errors.Is(err, fs.ErrNotExist) && (r.old == nil || len(source.Keep) == 0) {
			continue // nothing to load; at the first load the definitions say so
		}
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

func (g *Gateway) loadSource(source driver.Source) (driver.Loaded, error) {
	loaded, err := g.python.Load(source)
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
	source := registry.Bundle(b.key, b.folder, m.FileList, configuredHooks(m.CustomMiddleware, true))
	loaded, err := g.loadSource(source)
	if err != nil {
		return err
	}
	for module, traceback := range loaded.Failures {
		return fmt.Errorf("loading module %s: %w", module, moduleError(traceback))
	}
	for _, hook := range source.Keep {
		if !registry.Defines(loaded.Hooks, hook) {
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
