package host

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// candidate is a file of a definition that is being added to a route set.
type candidate struct {
	file  string
	fresh *Definition // nil if the file does not even name its listen path
	old   *api        // what served it so far, if that works; or nil
	made  *api        // created from fresh
	state candidateState
	// awaits are files that cannot be read, one of which may be this one under a new name.
	awaits []string
	unread bool // fresh is of an earlier load, and gives way to what can be read
}

type candidateState int

const (
	stateNew      candidateState = iota // fresh serves
	stateKept                           // old continues to serve
	stateBlocked                        // its listen path responds 500
	stateShadowed                       // another API has its listen path
)

// definition returns the definition that the candidate currently stands for.
func (c *candidate) definition() *Definition {
	if c.state == stateKept {
		return c.old.Definition
	}
	return c.fresh
}

// keepsPlace reports whether API id and listen path are the same as before.
func (c *candidate) keepsPlace() bool {
	d := c.definition()
	return c.state == stateKept || c.old != nil && c.old.APIID == d.APIID &&
		listenKey(c.old.Proxy.ListenPath) == listenKey(d.Proxy.ListenPath)
}

// rank orders candidates in a conflict; the lowest rank wins.
func (c *candidate) rank() int {
	switch {
	case c.state == stateShadowed, c.unread:
		return 2
	case c.keepsPlace():
		return 0
	}
	return 1
}

// refuse moves the candidate back to the API that served before, if there was one.
func (c *candidate) refuse() {
	switch {
	case c.state == stateNew && c.old != nil:
		c.state = stateKept
	case c.state == stateNew:
		c.state = stateBlocked
	default:
		c.state = stateShadowed
	}
}

// findCandidates pairs the definitions in the files with the APIs that served before.
func findCandidates(definitions []*Definition, failed map[string]error, old *routeSet) (list []*candidate) {
	before, closed := map[string]*api{}, map[string]*api{}
	if old != nil {
		for file, a := range old.apis {
			if a.broken == nil {
				before[file] = a
			} else {
				closed[file] = a
			}
		}
	}
	present := map[string]bool{}
	for _, d := range definitions {
		present[d.file] = true
	}
	for file := range failed {
		present[file] = true
		if a := before[file]; a != nil {
			list = append(list, &candidate{file: file, old: a, state: stateKept})
		} else if a := closed[file]; a != nil {
			list = append(list, stillClosed(file, a, failed[file]))
		}
	}
	gone, renamed := map[string]*api{}, map[string]*api{} // by file and by id: those whose file no longer exists
	for file, a := range before {
		if !present[file] {
			gone[file], renamed[a.APIID] = a, a
		}
	}
	for file, a := range closed {
		if !present[file] {
			gone[file] = a
		}
	}
	for _, d := range definitions {
		c := &candidate{file: d.file, fresh: d, old: before[d.file]}
		if a := renamed[d.APIID]; a != nil && c.old == nil {
			c.old = a
		}
		list = append(list, c)
	}
	return append(list, findMoved(list, gone, failed, old)...)
}

// stillClosed returns a candidate that closes the listen path of an API that could not be
// served and now cannot be read either. Its requests could reach another API otherwise.
func stillClosed(file string, a *api, err error) *candidate {
	d := *a.Definition
	d.refused = err
	return &candidate{file: file, fresh: &d, state: stateBlocked, unread: true}
}

// findMoved keeps APIs whose file is gone while a new one cannot be read: that may be
// the same under another name, and without the API its requests could reach one that
// asks for no key.
func findMoved(list []*candidate, gone map[string]*api, failed map[string]error, old *routeSet) (moved []*candidate) {
	for file, a := range gone {
		awaits := a.awaits
		if awaits == nil {
			for other := range failed {
				if old.unread[other] == nil {
					awaits = append(awaits, other)
				}
			}
		}
		awaits = slices.DeleteFunc(slices.Clone(awaits), func(other string) bool {
			return failed[other] == nil || old.apis[other] != nil && old.apis[other].broken == nil
		})
		replaced := slices.ContainsFunc(list, func(c *candidate) bool {
			return c.fresh != nil && (c.fresh.APIID == a.APIID || listenKey(c.fresh.Proxy.ListenPath) == listenKey(a.Proxy.ListenPath))
		})
		if len(awaits) > 0 && !replaced {
			slices.Sort(awaits)
			c := &candidate{file: file, old: a, state: stateKept, awaits: awaits}
			if a.broken != nil {
				c = stillClosed(file, a, a.broken)
				c.awaits = awaits
			}
			moved = append(moved, c)
		}
	}
	return moved
}

// findFolders adds to failed the definitions that have become folders.
func findFolders(failed map[string]error, old *routeSet) {
	if old == nil {
		return
	}
	for file := range old.apis {
		if status, err := os.Lstat(file); err == nil && status.IsDir() {
			failed[file] = fmt.Errorf("%s is not a regular file", file)
		}
	}
}

// resolveConflicts ensures that no two candidates have the same API id or listen path. The
// candidate that had it before keeps it, otherwise the first by file name. Refused ones
// serve as before, if they did; report is called after each refusal.
func resolveConflicts(list []*candidate, report func(c *candidate, err error)) {
	for {
		slices.SortFunc(list, func(a, b *candidate) int {
			return cmp.Or(cmp.Compare(a.rank(), b.rank()), strings.Compare(a.file, b.file))
		})
		c, err := firstConflict(list)
		if c == nil {
			return
		}
		path := errors.Is(err, errSamePath)
		c.refuse()
		if path && c.state == stateBlocked {
			c.state = stateShadowed
		}
		report(c, err)
	}
}

var (
	errSameID   = errors.New("api_id")
	errSamePath = errors.New("proxy.listen_path")
)

// firstConflict returns the first candidate whose API id or listen path is taken.
func firstConflict(list []*candidate) (*candidate, error) {
	ids, paths := map[string]*candidate{}, map[string]*candidate{}
	for _, c := range list {
		if c.state == stateShadowed {
			continue
		}
		d := c.definition()
		if other := paths[listenKey(d.Proxy.ListenPath)]; other != nil {
			return c, fmt.Errorf("%s: %w %q is already used by %s", c.file, errSamePath, d.Proxy.ListenPath, other.file)
		}
		paths[listenKey(d.Proxy.ListenPath)] = c
		if c.state == stateBlocked || d.APIID == "" {
			continue
		}
		if other := ids[d.APIID]; other != nil {
			return c, fmt.Errorf("%s: %w %q is already used by %s", c.file, errSameID, d.APIID, other.file)
		}
		ids[d.APIID] = c
	}
	return nil, nil
}
