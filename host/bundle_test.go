package host

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/drivertest"
	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// entry is a file of an archive.
type entry struct {
	name, content string
	mode          fs.FileMode
}

func archive(t *testing.T, entries ...entry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		header := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		header.SetMode(e.mode | 0o644)
		w, err := z.CreateHeader(header)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// manifest is the manifest of listed files, with what is changed in it; nil removes.
func manifest(files []entry, changed map[string]any) entry {
	var content string
	list := []string{}
	for _, f := range files {
		list, content = append(list, f.name), content+f.content
	}
	sum := md5.Sum([]byte(content))
	m := map[string]any{
		"file_list": list, "checksum": hex.EncodeToString(sum[:]),
		"custom_middleware": map[string]any{"driver": "python"},
	}
	for key, value := range changed {
		if m[key] = value; value == nil {
			delete(m, key)
		}
	}
	text, _ := json.Marshal(m)
	return entry{name: "manifest.json", content: string(text)}
}

func soundBundle(t *testing.T, code string) []byte {
	files := []entry{{name: "middleware.py", content: code}}
	return archive(t, append(files, manifest(files, nil))...)
}

// bundleServer is a bundle server and a gateway that uses it.
type bundleServer struct {
	*Gateway
	t       *testing.T
	content []byte // of every bundle; nil is 404
	header  http.Header
}

func newBundleServer(t *testing.T) *bundleServer {
	s := &bundleServer{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for name, values := range s.header {
			w.Header()[name] = values
		}
		if s.content == nil {
			http.NotFound(w, nil)
			return
		}
		_, _ = w.Write(s.content)
	}))
	t.Cleanup(server.Close)
	s.Gateway = &Gateway{log: slog.New(slog.DiscardHandler), settings: &Settings{
		EnableBundleDownloader: true, BundleBaseURL: server.URL, MiddlewarePath: filepath.Join(t.TempDir(), "middleware"),
	}}
	return s
}

// fetch does what a reload does with one bundle.
func (s *bundleServer) fetch() *bundle {
	s.t.Helper()
	b := s.fetchBundles([]string{"b.zip"}, time.Minute)["b.zip"]
	if err := b.load(s.Gateway); err != nil {
		b.err = errors.Join(b.err, err)
	}
	left, _ := filepath.Glob(filepath.Join(s.bundlesFolder(), "*.new-*"))
	if len(left) > 0 {
		s.t.Errorf("left behind: %v", left)
	}
	return b
}

func (b *bundle) code() string {
	data, _ := os.ReadFile(filepath.Join(b.folder, "middleware.py"))
	return string(data)
}

func unpackBytes(t *testing.T, content []byte, folder string) error {
	file := filepath.Join(t.TempDir(), "zip")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := unpack(file, folder)
	return err
}

func TestAnArchiveIsUnpackedIntoItsFolderAndNowhereElse(t *testing.T) {
	for name, e := range map[string]entry{
		"parent": {name: "../out.py"}, "absolute": {name: "/etc/out.py"}, "deep": {name: "a/../../out.py"},
		"inside": {name: "a/../out.py"}, "backslash": {name: `..\out.py`}, "drive": {name: "c:out.py"},
		"link":   {name: "link", content: "/etc/passwd", mode: fs.ModeSymlink},
		"device": {name: "device", mode: fs.ModeDevice}, "twice": {name: "first.py"}, "case": {name: "First.py"},
		"file and folder": {name: "first.py/x.py"}, "newline": {name: "a\nb.py"}, "empty": {name: "a//b.py"}, "dot": {name: "./a.py"},
	} {
		folder := filepath.Join(t.TempDir(), "bundle")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpackBytes(t, archive(t, entry{name: "first.py"}, e), folder); err == nil {
			t.Errorf("%s: %q was unpacked", name, e.name)
		}
		outside, _ := filepath.Glob(filepath.Join(filepath.Dir(folder), "*"))
		if len(outside) != 1 {
			t.Errorf("%s: written outside: %v", name, outside)
		}
	}
}

func TestAnEncryptedArchiveIsRefused(t *testing.T) {
	content := archive(t, entry{name: "first.py"})
	content[bytes.LastIndex(content, []byte("PK\x01\x02"))+8] |= 1
	if err := unpackBytes(t, content, t.TempDir()); err == nil || !strings.Contains(err.Error(), "encrypted") {
		t.Error(err)
	}
}

func TestABundleWithUnlistedFilesIsNotPutInPlace(t *testing.T) {
	s := newBundleServer(t)
	s.content = soundBundle(t, "one")
	if b := s.fetch(); b.err != nil {
		t.Fatal(b.err)
	}
	files := []entry{{name: "middleware.py", content: "two"}}
	s.content = archive(t, append(files, manifest(files, nil), entry{name: "data.txt"})...)
	b := s.fetchBundles([]string{"b.zip"}, time.Minute)["b.zip"]
	if b.fresh != nil || b.err == nil || b.manifest == nil {
		t.Errorf("%+v", b)
	}
}

func TestABundlesNameIsNoPartOfAURL(t *testing.T) {
	for name, want := range map[string]string{
		"b.zip":              "/base/b.zip",
		"folder/b.zip":       "/base/folder/b.zip",
		"%2e%2e/b.zip":       "/base/%2e%2e/b.zip",
		"..%2fb.zip":         "/base/..%2fb.zip",
		"b%20c.zip":          "/base/b%20c.zip",
		"a%zz.zip":           "/base/a%zz.zip",
		"b.zip?query#x":      "/base/b.zip?query#x",
		"b c.zip":            "/base/b c.zip",
		"http://other/b.zip": "/base/http:/other/b.zip",
	} {
		for _, base := range []string{"file:///base", "https://u:p@server/base/?sig=1"} {
			u, err := bundleURL(base, name)
			if err != nil || u.Path != want || u.RawQuery != "" && u.RawQuery != "sig=1" {
				t.Errorf("%s: %v %v", name, u, err)
			}
		}
	}
	for _, name := range []string{"..", "../b.zip", "a/../../b.zip", `..\b.zip`} {
		if u, err := bundleURL("file:///base", name); err == nil {
			t.Errorf("%s: %v", name, u)
		}
	}
	for _, base := range []string{"", "base", "http://[::1"} {
		if u, err := bundleURL(base, "b.zip"); err == nil {
			t.Errorf("%q: %v", base, u)
		}
	}
}

func TestABombIsStoppedWhateverItSaysOfItself(t *testing.T) {
	bomb := archive(t, entry{name: "zeros", content: strings.Repeat("\x00", 1<<20)})
	r, err := zip.NewReader(bytes.NewReader(bomb), int64(len(bomb)))
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if _, err := unpackFile(root, r.File[0], 1000); err == nil {
		t.Error("more was unpacked than allowed")
	}
}

func TestABrokenBundleKeepsTheOldVersionAndSaysWhy(t *testing.T) {
	s := newBundleServer(t)
	if b := s.fetch(); b.manifest != nil || b.err == nil {
		t.Error("a bundle that is not there has a manifest")
	}
	s.content = soundBundle(t, "one")
	if b := s.fetch(); b.err != nil || b.code() != "one" || b.key != bundleKey("b.zip") {
		t.Error(b.err)
	}
	s.content = soundBundle(t, "two") // changed under the same name
	if b := s.fetch(); b.err != nil || b.code() != "two" {
		t.Error(b.err)
	}
	evil := []entry{{name: "middleware.py", content: "evil"}}
	with := func(changed map[string]any, more ...entry) []byte {
		return archive(t, append(append(evil, manifest(evil, changed)), more...)...)
	}
	for reason, broken := range map[string][]byte{
		"checksum does not match":         with(map[string]any{"checksum": "00"}),
		"zip":                             []byte("nothing of the kind"),
		"no such file":                    archive(t, evil...),
		"custom_middleware":               with(map[string]any{"custom_middleware": nil}),
		"driver \"lua\"":                  with(map[string]any{"custom_middleware": map[string]any{"driver": "lua"}}),
		"driver \"\"":                     with(map[string]any{"custom_middleware": map[string]any{}}),
		"file_list is empty":              with(map[string]any{"file_list": []string{}}),
		"appears twice":                   with(map[string]any{"file_list": []string{"middleware.py", "middleware.py"}}),
		"points outside":                  with(map[string]any{"file_list": []string{"middleware.py", "../x.py"}}),
		"\"/etc/passwd\" is not a valid":  with(map[string]any{"file_list": []string{"middleware.py", "/etc/passwd"}}),
		"differ only in case":             with(map[string]any{"file_list": []string{"middleware.py", "Middleware.py"}}),
		"its own file_list":               with(map[string]any{"file_list": []string{"middleware.py", "manifest.json"}}),
		"a is not a regular file":         with(map[string]any{"file_list": []string{"middleware.py", "a"}}, entry{name: "a/"}),
		"not verified: extra.py":          with(nil, entry{name: "extra.py"}),
		"not verified: data.txt":          with(nil, entry{name: "data.txt"}),
		"not verified: p/__init__.py":     with(nil, entry{name: "p/__init__.py"}),
		"has no middleware.py":            with(map[string]any{"file_list": []string{"a.py", "b.py"}}),
		"manifest.json:1":                 archive(t, append(evil, entry{name: "manifest.json", content: "{"})...),
		"\"checksum\" appears twice":      archive(t, append(evil, entry{name: "manifest.json", content: `{"checksum": "", "checksum": ""}`})...),
		"\"checksum\" must not be null":   archive(t, append(evil, entry{name: "manifest.json", content: `{"checksum": null}`})...),
		"manifest.json has no custom_mid": with(map[string]any{"custom_middleware": json.RawMessage("null")}),
	} {
		s.content = broken
		b := s.fetch()
		if b.err == nil || !strings.Contains(b.err.Error(), reason) || b.manifest == nil || b.code() != "two" {
			t.Errorf("%s: %v, %q", reason, b.err, b.code())
		}
	}
	s.content = nil // the server lost it: what is unpacked serves on, and the error is told
	if b := s.fetch(); b.err == nil || b.manifest == nil || b.code() != "two" {
		t.Error(b.err)
	}
	s.content, s.header = soundBundle(t, "three"), http.Header{"Content-Encoding": {"gzip"}}
	if b := s.fetch(); b.err != nil || b.code() != "three" { // not decoded: it could be any size
		t.Error(b.err)
	}
}

func TestABundleWhoseHooksAreNotThereIsPutBack(t *testing.T) {
	s := newBundleServer(t)
	var loaded []string // the code of each load
	s.python = registry.New(&drivertest.Backend{LoadFunc: func(s driver.Source) (driver.Loaded, error) {
		code, _ := os.ReadFile(filepath.Join(s.Path, "middleware.py"))
		loaded = append(loaded, string(code))
		if string(code) == "fails" {
			return driver.Loaded{}, errors.New("it does not load")
		}
		return driver.Loaded{Hooks: []string{"Pre one", "Hook two"}}, nil
	}})
	bundle := func(code string, hooks ...string) []byte {
		var pre []map[string]string
		for _, hook := range hooks {
			pre = append(pre, map[string]string{"name": hook})
		}
		files := []entry{{name: "middleware.py", content: code}}
		return archive(t, append(files, manifest(files, map[string]any{
			"custom_middleware": map[string]any{"driver": "python", "pre": pre},
		}))...)
	}
	s.content = bundle("first", "three")
	if b := s.fetch(); b.err == nil || b.manifest != nil || b.code() != "" {
		t.Error("a bundle without its hooks serves", b.err)
	}
	s.content = bundle("old", "one", "two")
	if b := s.fetch(); b.err != nil || b.code() != "old" {
		t.Error(b.err)
	}
	for _, content := range [][]byte{bundle("new", "one", "three"), bundle("fails", "one")} {
		s.content = content
		b := s.fetch()
		if b.err == nil || b.manifest == nil || b.code() != "old" || loaded[len(loaded)-1] != "old" {
			t.Error(b.err, b.code(), loaded)
		}
	}
}

func TestABundleOnDiskIsCheckedAgain(t *testing.T) {
	s := newBundleServer(t)
	s.content = soundBundle(t, "one")
	folder := s.fetch().folder
	s.content = nil
	for what, change := range map[string]func() error{
		"changed":  func() error { return os.WriteFile(filepath.Join(folder, "middleware.py"), []byte("evil"), 0o644) },
		"added":    func() error { return os.WriteFile(filepath.Join(folder, "json.py"), nil, 0o644) },
		"compiled": func() error { return os.WriteFile(filepath.Join(folder, "json.pyc"), nil, 0o644) },
		"linked":   func() error { return os.Symlink("/tmp", filepath.Join(folder, "json")) },
		"replaced": func() error {
			file := filepath.Join(folder, "middleware.py")
			return errors.Join(os.Remove(file), os.WriteFile(file+".txt", []byte("one"), 0o644), os.Symlink("middleware.py.txt", file))
		},
	} {
		if err := change(); err != nil {
			t.Fatal(what, err)
		}
		if b := s.fetch(); b.manifest != nil || b.err == nil {
			t.Errorf("%s: a changed bundle is used", what)
		}
		s.content = soundBundle(t, "one") // the same archive as before: it is unpacked all the same
		if b := s.fetch(); b.manifest == nil || b.err != nil || b.code() != "one" {
			t.Errorf("%s: %v", what, b.err)
		}
		s.content = nil
	}
	for _, name := range []string{"cache.db", "__pycache__"} { // a plugin's own, Python's own
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if b := s.fetch(); b.manifest == nil {
		t.Error(b.err)
	}
}

func TestWhatACrashLeftIsCleanedUp(t *testing.T) {
	s := newBundleServer(t)
	s.content = soundBundle(t, "one")
	b := s.fetch()
	temporary := b.folder + ".new-1"
	if err := errors.Join(os.Mkdir(temporary, 0o755), os.Rename(b.folder, filepath.Join(temporary, "old"))); err != nil {
		t.Fatal(err)
	}
	s.cleanBundles()
	s.content = nil
	if b := s.fetch(); b.manifest == nil || b.code() != "one" {
		t.Error(b.err)
	}
}

func TestASilentBundleServerHoldsUpNothingForLong(t *testing.T) {
	silent := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-silent }))
	defer server.Close()
	defer close(silent)
	s := newBundleServer(t)
	s.content = soundBundle(t, "one")
	s.fetch()
	s.settings.BundleBaseURL = server.URL
	begin := time.Now()
	names := []string{"b.zip"}
	for i := range 3 * downloadsAtOnce {
		names = append(names, fmt.Sprint(i))
	}
	bundles := s.fetchBundles(names, 200*time.Millisecond)
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	for name, b := range bundles {
		if !errors.Is(b.err, context.DeadlineExceeded) || (b.manifest != nil) != (name == "b.zip") {
			t.Errorf("%s: %v", name, b.err)
		}
	}
}

func TestBundlesAreFetchedSideBySide(t *testing.T) {
	var names []string
	for i := range 4 * downloadsAtOnce {
		names = append(names, fmt.Sprint(i))
	}
	for range 10 {
		s := newBundleServer(t)
		s.content = soundBundle(t, "one")
		for name, b := range s.fetchBundles(names, time.Minute) {
			if b.err != nil || b.fresh == nil {
				t.Fatalf("%s: %v", name, b.err)
			}
		}
	}
}

func TestABundleServerSendsNobodyElsewhere(t *testing.T) {
	s := newBundleServer(t)
	for _, location := range []string{"file:///etc/passwd", "/again", "gopher://x/"} {
		server := httptest.NewServer(http.RedirectHandler(location, http.StatusFound))
		s.settings.BundleBaseURL = server.URL
		if b := s.fetch(); b.err == nil || !strings.Contains(b.err.Error(), "redirect") {
			t.Errorf("%s: %v", location, b.err)
		}
		server.Close()
	}
}

func TestAFileURLServesBundles(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "b.zip"), soundBundle(t, "one"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newBundleServer(t)
	s.settings.BundleBaseURL = "file://" + folder
	if b := s.fetch(); b.err != nil || registry.Entry(b.manifest.FileList) != "middleware.py" {
		t.Error(b.err)
	}
	b := s.fetchBundles([]string{"x/../../b.zip"}, time.Minute)["x/../../b.zip"]
	if b.err == nil || !strings.Contains(b.err.Error(), "points outside") {
		t.Error(b.err)
	}
}

func TestFilesOfABundleHaveModesOfTheirOwn(t *testing.T) {
	before := syscall.Umask(0o777)
	defer syscall.Umask(before)
	s := newBundleServer(t)
	files := []entry{{name: "middleware.py"}, {name: "a/b/c.py"}}
	s.content = archive(t, append(files, manifest(files, nil))...)
	b := s.fetch()
	if b.err != nil {
		t.Fatal(b.err)
	}
	for name, want := range map[string]fs.FileMode{".": 0o755, "a": 0o755, "a/b": 0o755, "a/b/c.py": 0o644, "manifest.json": 0o644} {
		status, err := os.Stat(filepath.Join(b.folder, name))
		if err != nil || status.Mode().Perm() != want {
			t.Errorf("%s: %v %v", name, status, err)
		}
	}
}
