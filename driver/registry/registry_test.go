package registry_test

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/drivertest"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// newRegistry returns a registry with sources that define the given hooks.
func newRegistry(t *testing.T, sources map[string][]string) (*registry.Registry, *drivertest.Backend) {
	t.Helper()
	backend := &drivertest.Backend{
		Hooks: map[string]drivertest.Func{"hook": drivertest.Answer(200, "")},
		LoadFunc: func(s driver.Source) (driver.Loaded, error) {
			return driver.Loaded{Hooks: sources[s.Key]}, nil
		},
	}
	r := registry.New(backend)
	for key := range sources {
		if _, err := r.Load(driver.Source{Key: key, Path: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
	}
	return r, backend
}

// within fails when a condition does not become true.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatal(what + " did not happen")
		}
	}
}

func TestTheFirstSourceThatDefinesAHookHasIt(t *testing.T) {
	r, backend := newRegistry(t, map[string][]string{
		"a": {"Post hook"}, "b": {"Pre hook"}, "c": {"Hook hook"}, "d": {"Pre other"},
	})
	for _, c := range []struct {
		sources []string
		want    string
		warns   bool
	}{
		{[]string{"b"}, "b", false},
		{[]string{"a", "b"}, "b", false},
		{[]string{"b", "c"}, "b", true},
		{[]string{"c", "b"}, "c", true},
		{[]string{"d", "c"}, "c", false},
		{[]string{"a", "d"}, "a", false}, // the backend says that it is missing
		{[]string{"unknown", "b"}, "b", false},
	} {
		spec := map[string]string{"APIID": "7", "bundle_hash": "a"}
		hook, err := r.Bind(c.sources, driver.Binding{Type: driver.Pre, Name: "hook", Spec: spec})
		if err != nil {
			t.Fatal(err)
		}
		if hook.Source != c.want || (hook.Warning != "") != c.warns {
			t.Errorf("%q: the hook of %q is bound, warning %q", c.sources, hook.Source, hook.Warning)
		}
		bound := backend.Bound()
		if len(bound) != 1 || bound[0].Source != c.want || bound[0].Spec["bundle_hash"] != c.want || bound[0].Spec["APIID"] != "7" {
			t.Errorf("%q: bound are %+v", c.sources, bound)
		}
		if spec["bundle_hash"] != "a" {
			t.Error("the caller's spec has changed")
		}
		hook.Release()
		within(t, "the end of the hook", func() bool { return len(backend.Bound()) == 0 })
	}
}

func TestASourceThatDoesNotLoadKeepsItsHooks(t *testing.T) {
	r, backend := newRegistry(t, map[string][]string{"a": {"Pre hook"}, "b": {"Pre hook"}})
	backend.LoadFunc = func(driver.Source) (driver.Loaded, error) {
		return driver.Loaded{}, driver.NewError(driver.ErrLoadFailed, "it does not load")
	}
	if _, err := r.Load(driver.Source{Key: "a", Path: t.TempDir()}); !errors.Is(err, driver.ErrLoadFailed) {
		t.Error(err)
	}
	hook, err := r.Bind([]string{"a", "b"}, driver.Binding{Type: driver.Pre, Name: "hook"})
	if err != nil || hook.Source != "a" {
		t.Error(hook, err)
	}
}

func TestAFolderThatDoesNotExistIsNotLoaded(t *testing.T) {
	r, backend := newRegistry(t, nil)
	source := driver.Source{Key: "a", Path: filepath.Join(t.TempDir(), "none")}
	for _, keep := range [][]driver.HookName{nil, {{Type: driver.Pre, Name: "hook"}}} {
		source.Keep = keep
		if _, err := r.Load(source); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), source.Path) {
			t.Error(err)
		}
	}
	if len(backend.Loads()) != 0 {
		t.Error("it was loaded")
	}
}

func TestHandlesAreUsedOnce(t *testing.T) {
	r, _ := newRegistry(t, map[string][]string{"a": {"Pre hook"}})
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for range 200 {
				hook, err := r.Bind([]string{"a"}, driver.Binding{Type: driver.Pre, Name: "hook"}) // refuses a handle that was used
				if err != nil {
					t.Error(err)
					return
				}
				hook.Release()
			}
		}()
	}
	group.Wait()
}

func TestTheEntryIsMiddlewareOrTheOnlyFile(t *testing.T) {
	for _, c := range []struct {
		files []string
		want  string
	}{
		{nil, "middleware"}, {[]string{"middleware.py"}, "middleware"}, {[]string{"mine.py"}, "mine.py"},
		{[]string{"mine.py", "other.py"}, "middleware"}, {[]string{"data.txt"}, "middleware"},
	} {
		if s := registry.Bundle("key", "/folder", c.files, nil); s.Entry != c.want || s.Key != "key" || s.Path != "/folder" {
			t.Errorf("%q: %+v", c.files, s)
		}
	}
}

func TestConfiguredHooksAreKeptOnceEach(t *testing.T) {
	pre := driver.HookName{Type: driver.Pre, Name: "a"}
	post := driver.HookName{Type: driver.Post, Name: "a"}
	hooks := []registry.Configured{{HookName: pre}, {HookName: post, RawBodyOnly: true}, {HookName: pre, RawBodyOnly: true}}
	if got := registry.Names(hooks); !slices.Equal(got, []driver.HookName{pre, post}) {
		t.Error(got)
	}
	if registry.RawBodyOnly(hooks, pre) || !registry.RawBodyOnly(hooks, post) || registry.RawBodyOnly(nil, pre) {
		t.Error("raw_body_only is another one")
	}
	folders := registry.Folders("/middleware", "/prefix", hooks)
	if len(folders) != 2 || folders[0].Path != "/prefix/event_handlers" || len(folders[0].Keep) != 0 ||
		folders[1].Path != "/middleware/python" || len(folders[1].Keep) != 2 {
		t.Errorf("%+v", folders)
	}
}

// Calls that run while the table is reset never meet a closed hook, and nothing stays bound.
func TestResetsAndCallsAtOnceLoseNoCall(t *testing.T) {
	r, backend := newRegistry(t, map[string][]string{"a": {"Pre hook"}})
	var table registry.Table[int]
	var group sync.WaitGroup
	for range 8 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := range 2000 {
				hook, err := table.Get(i%3, func() (*registry.Hook, error) {
					return r.Bind([]string{"a"}, driver.Binding{Type: driver.Pre, Name: "hook"})
				})
				if err == nil {
					_, err = hook.Dispatch(context.Background(), &driver.Call{})
					hook.Release()
				}
				if err != nil {
					t.Error(err)
					return
				}
				if i%7 == 0 {
					table.Reset()
				}
			}
		}()
	}
	group.Wait()
	table.Reset()
	if table.Len() != 0 {
		t.Errorf("%d hooks are left in the table", table.Len())
	}
	within(t, "the end of all hooks", func() bool { return len(backend.Bound()) == 0 })
}

func TestAHookOutlivesItsTableUntilItsLastCallHasEnded(t *testing.T) {
	r, backend := newRegistry(t, map[string][]string{"a": {"Pre hook"}})
	var table registry.Table[string]
	hook, err := table.Get("key", func() (*registry.Hook, error) {
		return r.Bind([]string{"a"}, driver.Binding{Type: driver.Pre, Name: "hook"})
	})
	if err != nil {
		t.Fatal(err)
	}
	table.Reset()
	table.Reset()
	if _, err := hook.Dispatch(context.Background(), &driver.Call{}); err != nil {
		t.Error(err)
	}
	hook.Release()
	within(t, "the end of the hook", func() bool { return len(backend.Bound()) == 0 })
	if hook.Acquire() {
		t.Error("a closed hook may be used")
	}
	if _, err := table.Get("other", func() (*registry.Hook, error) { return nil, fs.ErrInvalid }); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}

func TestTheLastUserEndsIt(t *testing.T) {
	ends := 0
	uses := registry.NewUses(func() { ends++ })
	if first, second := uses.Enter(), uses.Enter(); !first || !second {
		t.Fatal("it has ended")
	}
	for _, want := range []int{0, 0, 1} {
		uses.Leave()
		if ends != want {
			t.Errorf("%d ends, want %d", ends, want)
		}
	}
	if uses.Enter() || ends != 1 {
		t.Error("it is used after its end")
	}
}

func TestEventsHaveTheContractsForm(t *testing.T) {
	data, err := registry.Event(map[string]string{"Type": "T"}, "function", "7", "org")
	if want := `{"message":{"Type":"T"},"handler_name":"function","spec":{"APIID":"7","OrgID":"org"}}`; string(data) != want || err != nil {
		t.Error(string(data), err)
	}
	if name, err := registry.Function(map[string]any{"name": "function"}); name != "function" || err != nil {
		t.Error(name, err)
	}
	for _, meta := range []any{nil, "function", map[string]any{}, map[string]any{"name": 7}} {
		if _, err := registry.Function(meta); err == nil || !strings.Contains(err.Error(), "handler_meta.name") {
			t.Errorf("%v: %v", meta, err)
		}
	}
}

func TestAnUnknownAPIHasTheEventHandlersOfAll(t *testing.T) {
	var events registry.Events
	if functions, _ := events.Of("7", "T"); functions != nil {
		t.Error(functions)
	}
	events.Configure(map[string]registry.APIEvents{
		"":  {Functions: map[string][]string{"T": {"all"}}},
		"7": {OrgID: "org", Functions: map[string][]string{"T": {"all", "mine"}}},
	})
	if functions, org := events.Of("7", "T"); !slices.Equal(functions, []string{"all", "mine"}) || org != "org" {
		t.Error(functions, org)
	}
	if functions, org := events.Of("8", "T"); !slices.Equal(functions, []string{"all"}) || org != "" {
		t.Error(functions, org)
	}
	if functions, _ := events.Of("7", "other"); functions != nil {
		t.Error(functions)
	}
}
