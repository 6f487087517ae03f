package registry

import (
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// Configured is a hook that a definition or a manifest names.
type Configured struct {
	driver.HookName
	RawBodyOnly bool
}

// Names returns the names of hooks, each once, for Source.Keep.
func Names(hooks []Configured) (names []driver.HookName) {
	for _, h := range hooks {
		if !slices.Contains(names, h.HookName) {
			names = append(names, h.HookName)
		}
	}
	return names
}

// RawBodyOnly returns raw_body_only of a hook. If it is listed twice with different values,
// the result is false.
func RawBodyOnly(hooks []Configured, name driver.HookName) bool {
	raw := false
	for _, h := range hooks {
		if h.HookName == name {
			if !h.RawBodyOnly {
				return false
			}
			raw = true
		}
	}
	return raw
}

// EntryFile is the file of a bundle that is imported, unless it lists one file only.
const EntryFile = "middleware.py"

// Entry returns the file of a bundle that is imported: middleware.py, or the only listed
// file.
func Entry(files []string) string {
	if len(files) == 1 && path.Ext(files[0]) == ".py" {
		return files[0]
	}
	return EntryFile
}

// Bundle returns the source of an unpacked bundle. hooks are those of its manifest.
func Bundle(key, folder string, files []string, hooks []Configured) driver.Source {
	entry := Entry(files)
	if entry == EntryFile {
		entry = strings.TrimSuffix(entry, ".py")
	}
	return driver.Source{Key: key, Path: folder, Entry: entry, Keep: Names(hooks)}
}

// Folders returns the sources that are not bundles: the event handlers, and the directory
// with the hooks of all APIs that have no bundle.
func Folders(middlewarePath, pythonPathPrefix string, hooks []Configured) []driver.Source {
	return []driver.Source{
		{Key: driver.EventsKey, Path: filepath.Join(pythonPathPrefix, "event_handlers")},
		{Key: driver.DirectoryKey, Path: filepath.Join(middlewarePath, "python"), Keep: Names(hooks)},
	}
}
