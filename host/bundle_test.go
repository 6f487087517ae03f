package host

import (
	"archive/zip"
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func soundBundle(t *testing.T, code string) []byte {
	sum := md5.Sum([]byte(code))
	manifest, _ := json.Marshal(map[string]any{
		"file_list": []string{"middleware.py"}, "checksum": hex.EncodeToString(sum[:]),
		"custom_middleware": map[string]any{"driver": "python"},
	})
	return archive(t, entry{name: "middleware.py", content: code}, entry{name: "manifest.json", content: string(manifest)})
}

func TestAnArchiveIsUnpackedIntoItsFolderAndNowhereElse(t *testing.T) {
	for name, e := range map[string]entry{
		"parent":   {name: "../out.py"},
		"absolute": {name: "/etc/out.py"},
		"deep":     {name: "a/../../out.py"},
		"link":     {name: "link", content: "/etc/passwd", mode: fs.ModeSymlink},
		"device":   {name: "device", mode: fs.ModeDevice},
		"twice":    {name: "first.py"},
	} {
		folder := filepath.Join(t.TempDir(), "bundle")
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unpack(archive(t, entry{name: "first.py"}, e), folder); err == nil {
			t.Errorf("%s: %q was unpacked", name, e.name)
		}
		outside, _ := filepath.Glob(filepath.Join(filepath.Dir(folder), "*"))
		if len(outside) != 1 {
			t.Errorf("%s: written outside: %v", name, outside)
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
	var served []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if served == nil {
			http.NotFound(w, nil)
			return
		}
		_, _ = w.Write(served)
	}))
	defer server.Close()
	g := &Gateway{settings: &Settings{
		EnableBundleDownloader: true, BundleBaseURL: server.URL, MiddlewarePath: t.TempDir(),
	}}
	code := func(b *bundle) string {
		data, _ := os.ReadFile(filepath.Join(b.folder, "middleware.py"))
		return string(data)
	}

	if b := g.fetchBundle("b.zip"); b.manifest != nil || b.err == nil {
		t.Error("a bundle that is not there has a manifest")
	}
	served = soundBundle(t, "one")
	if b := g.fetchBundle("b.zip"); b.err != nil || code(b) != "one" || b.key != bundleKey("b.zip") {
		t.Error(b.err)
	}
	served = soundBundle(t, "two") // changed under the same name
	if b := g.fetchBundle("b.zip"); b.err != nil || code(b) != "two" {
		t.Error(b.err)
	}
	for reason, broken := range map[string][]byte{
		"checksum": archive(t, entry{name: "middleware.py", content: "evil"},
			entry{name: "manifest.json", content: `{"file_list": ["middleware.py"], "checksum": "00"}`}),
		"zip": []byte("nothing of the kind"),
	} {
		served = broken
		b := g.fetchBundle("b.zip")
		if b.err == nil || !strings.Contains(b.err.Error(), reason) || b.manifest == nil || code(b) != "two" {
			t.Errorf("%s: %v, %q", reason, b.err, code(b))
		}
	}
	served = nil // the server lost it: what is unpacked serves on, and the error is told
	if b := g.fetchBundle("b.zip"); b.err == nil || b.manifest == nil || code(b) != "two" {
		t.Error(b.err)
	}
}

func TestAFileURLServesBundles(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "b.zip"), soundBundle(t, "one"), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &Gateway{settings: &Settings{
		EnableBundleDownloader: true, BundleBaseURL: "file://" + folder, MiddlewarePath: t.TempDir(),
	}}
	if b := g.fetchBundle("b.zip"); b.err != nil || b.entry() != "middleware" {
		t.Error(b.err)
	}
}
