package host

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/drivertest"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// files is a gateway on a folder of definitions.
type files struct {
	*Gateway
	folder string
}

func newFiles(t *testing.T) *files {
	folder := t.TempDir()
	write(t, folder, map[string]any{"policies.txt": `{"p": {"rate": 1, "per": 60}}`})
	middleware := t.TempDir()
	if err := os.Mkdir(filepath.Join(middleware, "python"), 0o755); err != nil {
		t.Fatal(err)
	}
	g, err := New(t.Context(), &Settings{LogLevel: "error", Secret: secret, AppPath: folder, MiddlewarePath: middleware,
		Policies: PolicySettings{"file", filepath.Join(folder, "policies.txt")}})
	if err != nil {
		t.Fatal(err)
	}
	g.python = registry.New(&drivertest.Backend{Hooks: map[string]drivertest.Func{
		"one": drivertest.Answer(200, "one"), "two": drivertest.Answer(200, "two"),
	}})
	return &files{g, folder}
}

// get returns what a path answers: the status, and the body of hooks.
func (f *files) get(path string) string {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	body, _ := io.ReadAll(w.Body)
	if w.Code == http.StatusOK {
		return string(body)
	}
	return fmt.Sprint(w.Code)
}

func hooked(id, listen, hook string) string {
	return `{"custom_middleware": {"driver": "python", "pre": [{"name": "` + hook + `"}]},` + definition(id, listen, "http://127.0.0.1:1/")[1:]
}

// expect reloads, and checks the refusals by their files and what paths answer then.
func (f *files) expect(t *testing.T, what string, refused map[string]bool, answers map[string]string) {
	t.Helper()
	var list refusals
	errors.As(f.Reload(), &list)
	got := map[string]bool{}
	for _, r := range list {
		got[filepath.Base(r.What)] = r.Kept
	}
	if fmt.Sprint(got) != fmt.Sprint(refused) {
		t.Errorf("%s: refused (kept) %v, not %v: %v", what, got, refused, list)
	}
	for path, answer := range answers {
		if got := f.get(path); got != answer {
			t.Errorf("%s: %s answers %s, not %s", what, path, got, answer)
		}
	}
}

func TestWhatIsRefusedGoesOnAsItWas(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "one"), "b.json": hooked("b", "/b/", "two")})
	f.expect(t, "sound", nil, map[string]string{"/a/": "one", "/b/": "two"})
	for what, content := range map[string]string{
		"misspelt hook":    hooked("a", "/a/", "wun"),
		"other id":         hooked("other", "/a/", "wun"),
		"moved":            hooked("a", "/moved/", "wun"),
		"no JSON":          "{",
		"no driver":        strings.Replace(hooked("a", "/a/", "two"), "python", "lua", 1),
		"no target":        strings.Replace(hooked("a", "/a/", "two"), "http:", "", 1),
		"another's path":   hooked("a", "/b", "two"),
		"another's id":     hooked("b", "/c/", "two"),
		"the control path": hooked("a", "/tyk/a", "two"),
		"wrong type":       strings.Replace(hooked("a", "/a/", "two"), `"one"`, "1", 1) + "}",
		"auth, no check":   `{"enable_coprocess_auth": true,` + strings.Replace(hooked("a", "/a/", "two"), `"use_keyless": true`, `"use_keyless": false`, 1)[1:],
	} {
		write(t, f.folder, map[string]any{"a.json": content})
		for range 2 { // however often
			f.expect(t, what, map[string]bool{"a.json": true}, map[string]string{"/a/": "one", "/b/": "two", "/moved/": "404", "/c/": "404"})
		}
	}
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "two")})
	f.expect(t, "mended", nil, map[string]string{"/a/": "two", "/b/": "two"})
	write(t, f.folder, map[string]any{"a.json": nil})
	f.expect(t, "removed", nil, map[string]string{"/a/": "404", "/b/": "two"})
}

func TestAtTheFirstLoadARefusedDefinitionsPathIsClosed(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{
		"all.json": hooked("all", "/", "one"), "hook.json": hooked("h", "/hook/", "wun"),
		"target.json": strings.Replace(hooked("t", "/target/", "one"), "http:", "", 1),
		"twice.json":  `{"active": true, "active": true,` + hooked("w", "/twice/", "one")[1:],
		"zid.json":    hooked("all", "/zid/", "two"), "zpath.json": hooked("z", "/hook", "two"),
	})
	f.expect(t, "first load", map[string]bool{"hook.json": false, "target.json": false, "twice.json": false, "zid.json": false, "zpath.json": false},
		map[string]string{"/": "one", "/hook/": "500", "/target/": "500", "/twice/": "500", "/zid/": "500"})
}

func TestAtTheFirstLoadWhatCanBeReadOfADefinitionClosesItsPath(t *testing.T) {
	cut := hooked("cut", "/cut/", "one")
	for what, content := range map[string]string{
		"cut off":       cut[:len(cut)-1],
		"cut off early": cut[:strings.Index(cut, "/cut/")+len(`/cut/"`)],
		"garbage after": cut + "}",
		"two":           cut + cut,
		"no id":         hooked("", "/cut/", "one"),
		"null id":       `{"api_id": null, "proxy": {"listen_path": "/cut/", "target_url": "http://u/"}}`,
		"wrong id":      `{"api_id": 5, "proxy": {"listen_path": "/cut/"}}`,
		"wrong active":  `{"active": 0,` + cut[1:],
		"wrong section": `{"proxy": {"a": [{"listen_path": "/other/"}], "listen_path": "/cut/"}, "auth": [`,
		"byte order":    byteOrderMark + cut,
		"not UTF-8":     `{"name": "` + "\xff" + `",` + cut[1:],
	} {
		f := newFiles(t)
		write(t, f.folder, map[string]any{"all.json": hooked("all", "/", "one"), "cut.json": content})
		f.expect(t, what, map[string]bool{"cut.json": false}, map[string]string{"/": "one", "/cut/": "500", "/other/": "one"})
	}
}

// An API that is there no longer leaves its paths to others, which may ask for no key.
func TestADefinitionThatCannotBeFoundAgainServesOn(t *testing.T) {
	served := map[string]string{"/": "one", "/a/": "two"}
	begin := func() *files {
		f := newFiles(t)
		write(t, f.folder, map[string]any{"all.json": hooked("all", "/", "one"), "a.json": hooked("a", "/a/", "two")})
		f.expect(t, "sound", nil, served)
		return f
	}
	f := begin()
	write(t, f.folder, map[string]any{"a.json": nil})
	if err := os.Mkdir(filepath.Join(f.folder, "a.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f.expect(t, "a folder", map[string]bool{"a.json": true}, served)
	}

	f = begin()
	write(t, f.folder, map[string]any{"a.json": nil, "b.json": `{"api_id": "a", "pro`})
	for range 3 {
		f.expect(t, "moved and cut off", map[string]bool{"a.json": true, "b.json": false}, served)
	}
	write(t, f.folder, map[string]any{"b.json": hooked("a", "/b/", "two")})
	f.expect(t, "mended", nil, map[string]string{"/a/": "one", "/b/": "two"})
	write(t, f.folder, map[string]any{"c.json": "{"})
	f.expect(t, "one more", map[string]bool{"c.json": false}, map[string]string{"/b/": "two"})
	write(t, f.folder, map[string]any{"b.json": nil})
	f.expect(t, "removed later", map[string]bool{"c.json": false}, map[string]string{"/b/": "one"})

	f = begin()
	write(t, f.folder, map[string]any{"a.json": nil, "b.json": hooked("b", "/a/", "one"), "c.json": "{"})
	f.expect(t, "replaced", map[string]bool{"c.json": false}, map[string]string{"/a/": "one"})
}

func TestAPathThatIsClosedStaysClosedWhenItsDefinitionCannotBeRead(t *testing.T) {
	closed := map[string]string{"/": "one", "/a/": "500"}
	begin := func() *files {
		f := newFiles(t)
		write(t, f.folder, map[string]any{"all.json": hooked("all", "/", "one")})
		f.expect(t, "sound", nil, map[string]string{"/": "one", "/a/": "one"})
		write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "unknown")})
		f.expect(t, "its hook is not there", map[string]bool{"a.json": false}, closed)
		return f
	}
	for _, text := range []string{"{", "", "null", `{"api_id": "a"`} {
		f := begin()
		write(t, f.folder, map[string]any{"a.json": text})
		for range 3 {
			f.expect(t, "cut off", map[string]bool{"a.json": false}, closed)
		}
		write(t, f.folder, map[string]any{"b.json": hooked("a", "/a/", "two")})
		f.expect(t, "mended in another file", map[string]bool{"a.json": false}, map[string]string{"/a/": "two"})
		write(t, f.folder, map[string]any{"a.json": nil})
		f.expect(t, "removed", nil, map[string]string{"/a/": "two"})
	}
	f := begin()
	write(t, f.folder, map[string]any{"a.json": nil})
	if err := os.Mkdir(filepath.Join(f.folder, "a.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f.expect(t, "a folder", map[string]bool{"a.json": false}, closed)
	}
	f = begin()
	write(t, f.folder, map[string]any{"a.json": nil, "b.json": "{"})
	for range 3 {
		f.expect(t, "moved and cut off", map[string]bool{"a.json": false, "b.json": false}, closed)
	}
	write(t, f.folder, map[string]any{"b.json": nil})
	f.expect(t, "removed", nil, map[string]string{"/a/": "one"})
}

func TestADefinitionThatIsNotServedNeedsNoBundle(t *testing.T) {
	with := func(id, path string) string {
		return `{"api_id": "` + id + `", "use_keyless": true, "custom_middleware_bundle": "` + id + path + `.zip", "version_data": {"not_versioned": true},
			"proxy": {"listen_path": "` + path + `", "target_url": "http://127.0.0.1:9"}}`
	}
	f := newFiles(t)
	write(t, f.folder, map[string]any{"all.json": hooked("all", "/", "one"), "b.json": with("all", "/b/"), "c.json": with("", "/c/")})
	f.expect(t, "an id that is taken, and none", map[string]bool{"b.json": false, "c.json": false}, map[string]string{"/": "one", "/b/": "500", "/c/": "500"})
	write(t, f.folder, map[string]any{"b.json": with("b", "/b/"), "c.json": nil})
	f.expect(t, "no such bundle", map[string]bool{"b.json": false, ".zip": false}, map[string]string{"/": "one", "/b/": "500"})
	write(t, f.folder, map[string]any{"b.json": "{"})
	for range 2 {
		f.expect(t, "cut off", map[string]bool{"b.json": false}, map[string]string{"/": "one", "/b/": "500"})
	}
}

func TestWhoHadAPathOrAnIDKeepsIt(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"m.json": hooked("m", "/m/", "one")})
	f.expect(t, "alone", nil, map[string]string{"/m/": "one"})
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/m/", "two"), "z.json": hooked("m", "/z/", "two")})
	f.expect(t, "others want them", map[string]bool{"a.json": false, "z.json": false}, map[string]string{"/m/": "one", "/z/": "500"})
	write(t, f.folder, map[string]any{"m.json": nil, "z.json": nil})
	f.expect(t, "it is free", nil, map[string]string{"/m/": "two"})
	write(t, f.folder, map[string]any{"a.json": nil, "renamed.json": hooked("a", "/m/", "wun")})
	f.expect(t, "another file, broken", map[string]bool{"renamed.json": true}, map[string]string{"/m/": "two"})
	// Two that change places with a third that cannot be served: all go on as they were.
	write(t, f.folder, map[string]any{"renamed.json": hooked("a", "/m/", "one"), "x.json": hooked("x", "/x/", "two")})
	f.expect(t, "two", nil, map[string]string{"/m/": "one", "/x/": "two"})
	write(t, f.folder, map[string]any{"renamed.json": hooked("a", "/x/", "wun"), "x.json": hooked("x", "/m/", "two")})
	f.expect(t, "changed places", map[string]bool{"renamed.json": true, "x.json": true}, map[string]string{"/m/": "one", "/x/": "two"})
}

func TestPoliciesAreTakenWholeOrNotAtAll(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "one")})
	f.expect(t, "sound", nil, nil)
	for what, content := range map[string]string{
		"wrong type": `{"p": {"rate": "many"}, "q": {}}`, "truncated": `{"p": {"rate": 1`, "empty": "", "null": "null", "list": "[]",
		"garbage": `{"p": {}} x`, "twice": `{"p": {"rate": 1}, "p": {}}`, "field twice": `{"p": {"rate": 1, "Rate": 0}}`,
		"null policy": `{"p": null}`, "null rate": `{"p": {"rate": null}}`, "mark": "\xef\xbb\xbf{}",
	} {
		write(t, f.folder, map[string]any{"policies.txt": content})
		f.expect(t, what, map[string]bool{"policies.txt": true}, map[string]string{"/a/": "one"})
		if p := f.current.Load().apis[filepath.Join(f.folder, "a.json")].policies["p"]; p.Rate != 1 || len(f.policies()) != 1 {
			t.Errorf("%s: %+v", what, p)
		}
		if problems := f.health.list(); len(problems) != 1 || problems[0].component != "policies" {
			t.Errorf("%s: %v", what, problems)
		}
	}
	write(t, f.folder, map[string]any{"policies.txt": `{"p": {"rate": 2, "access_rights": null}}`})
	f.expect(t, "mended", nil, nil)
	if f.policies()["p"].Rate != 2 || len(f.health.list()) > 0 {
		t.Error(f.policies(), f.health.list())
	}
}

func TestAFolderThatIsGoneChangesNothing(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "one")})
	f.expect(t, "sound", nil, map[string]string{"/a/": "one"})
	if err := os.Rename(f.folder, f.folder+"-gone"); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "gone", map[string]bool{filepath.Base(f.folder): true}, map[string]string{"/a/": "one"})
}

func TestAFolderOfPluginsThatIsGoneIsTold(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "one")})
	f.expect(t, "sound", nil, map[string]string{"/a/": "one"})
	folder := filepath.Join(f.settings.MiddlewarePath, "python")
	if err := os.Rename(folder, folder+"-gone"); err != nil {
		t.Fatal(err)
	}
	f.expect(t, "gone", map[string]bool{"python": true}, map[string]string{"/a/": "one"})
	if len(f.health.list()) != 1 {
		t.Error(f.health.list())
	}
	write(t, f.folder, map[string]any{"a.json": nil})
	f.expect(t, "not needed", nil, nil)
}

func TestMetricsForgetHooksThatNoDefinitionNames(t *testing.T) {
	f := newFiles(t)
	shown := func() (n int) {
		families, err := f.metrics.registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range families {
			if strings.HasPrefix(family.GetName(), "gateway_hook_") {
				n += len(family.Metric)
			}
		}
		return n
	}
	for i := range 20 {
		id := fmt.Sprint(i)
		write(t, f.folder, map[string]any{"a.json": hooked(id, "/a/", "one"), "b.json": hooked("b", "/b/", "two")})
		f.expect(t, id, nil, map[string]string{"/a/": "one"})
	}
	write(t, f.folder, map[string]any{"b.json": "{"})
	f.expect(t, "refused", map[string]bool{"b.json": true}, map[string]string{"/b/": "two"})
	if shown() != 4 { // latency and errors
		t.Errorf("%d hooks are shown", shown())
	}
	write(t, f.folder, map[string]any{"a.json": nil, "b.json": nil})
	f.expect(t, "removed", nil, nil)
	if shown() != 0 {
		t.Errorf("%d hooks are shown", shown())
	}
}

func TestAReloadThatDoesNotEndIsTold(t *testing.T) {
	f := newFiles(t)
	f.reloading <- struct{}{} // one runs
	if err := f.reloadWithin(1); err == nil || !strings.Contains(err.Error(), "did not end") {
		t.Error(err)
	}
	<-f.reloading
	if err := f.reloadWithin(reloadTimeout); err != nil {
		t.Error(err)
	}
}

func TestAPanicInAReloadChangesNothing(t *testing.T) {
	f := newFiles(t)
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "one")})
	f.expect(t, "first", nil, map[string]string{"/a/": "one"})
	backend := f.python.Backend.(*drivertest.Backend)
	backend.LoadFunc = func(driver.Source) (driver.Loaded, error) { panic("broken") }
	write(t, f.folder, map[string]any{"a.json": hooked("a", "/a/", "two")})
	if err := f.reloadWithin(reloadTimeout); err == nil || !strings.Contains(err.Error(), "panic in a reload: broken") {
		t.Error(err)
	}
	f.expect(t, "panic", nil, map[string]string{"/a/": "one"})
	backend.LoadFunc = nil
	f.expect(t, "after the panic", nil, map[string]string{"/a/": "two"})
}
