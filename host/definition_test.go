package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func names(m *CustomMiddleware, customAuth bool) (list []string) {
	m.hooks(customAuth, func(t driver.HookType, h HookDefinition) { list = append(list, t.String()+" "+h.Name) })
	return list
}

func TestADisabledHookIsNoHook(t *testing.T) {
	m := &CustomMiddleware{
		Pre: []HookDefinition{{Name: "a"}, {Name: "off", Disabled: true}, {Name: "b"}}, AuthCheck: HookDefinition{Name: "c"},
		PostKeyAuth: []HookDefinition{{Name: "d"}}, Post: []HookDefinition{{Name: "e"}}, Response: []HookDefinition{{Name: "f"}},
	}
	want := []string{"Pre a", "Pre b", "CustomKeyCheck c", "PostKeyAuth d", "Post e", "Response f"}
	if got := names(m, true); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := names(m, false); slices.Contains(got, "CustomKeyCheck c") {
		t.Errorf("without custom authentication: %q", got)
	}
	m.AuthCheck.Disabled = true
	if got := names(m, true); slices.Contains(got, "CustomKeyCheck c") {
		t.Errorf("a disabled check is called: %q", got)
	}
}

// write makes the files of a folder; nil removes one.
func write(t *testing.T, folder string, files map[string]any) {
	t.Helper()
	for name, content := range files {
		var err error
		switch content := content.(type) {
		case nil:
			err = os.Remove(filepath.Join(folder, name))
		case string:
			err = os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func definition(id, listen, target string) string {
	return fmt.Sprintf(`{"api_id": %q, "use_keyless": true, "proxy": {"listen_path": %q, "target_url": %q}}`, id, listen, target)
}

func TestWhatIsWrongWithADefinitionNamesTheFileAndTheKey(t *testing.T) {
	good := definition("1", "/a/", "http://u/")
	for name, c := range map[string]struct{ content, says string }{
		"id":         {`{"proxy": {"listen_path": "/b/", "target_url": "http://u/"}}`, "api_id"},
		"truncated":  {good[:40], "bad.json:1"},
		"empty":      {"", "bad.json:1"},
		"null":       {"null", "not null"},
		"list":       {"[]", "array"},
		"mark":       {"\xef\xbb\xbf" + good, "byte order mark"},
		"latin1":     {strings.Replace(good, `"1"`, "\"\xe9\"", 1), "UTF-8"},
		"garbage":    {good + "x", "invalid character"},
		"two":        {good + good, "invalid character"},
		"twice":      {`{"use_keyless": true, "use_keyless": false,` + good[1:], "use_keyless"},
		"cases":      {`{"Use_Keyless": true,` + good[1:], "use_keyless"},
		"inside":     {`{"custom_middleware": {"pre": [{"name": "a", "name": "b"}]},` + good[1:], "name"},
		"type":       {`{"active": "yes",` + good[1:], "active"},
		"null value": {`{"enable_coprocess_auth": null,` + good[1:], "enable_coprocess_auth"},
		"null hook":  {`{"custom_middleware": {"pre": [null]},` + good[1:], "must not be null"},
		"relative":   {definition("1", "b", "http://u/"), "proxy.listen_path"},
		"pattern":    {definition("1", "/{x}/", "http://u/"), "proxy.listen_path"},
		"star":       {definition("1", "/*", "http://u/"), "proxy.listen_path"},
		"encoded":    {definition("1", "/%61/", "http://u/"), "proxy.listen_path"},
		"dots":       {definition("1", "/a/../b/", "http://u/"), "proxy.listen_path"},
		"double":     {definition("1", "/a//b/", "http://u/"), "proxy.listen_path"},
		"doubled":    {definition("1", "//", "http://u/"), "proxy.listen_path"},
		"backslash":  {definition("1", `/a\b/`, "http://u/"), "proxy.listen_path"},
		"control":    {definition("1", "/tyk/", "http://u/"), "control API"},
		"below":      {definition("1", "/tyk/keys/", "http://u/"), "control API"},
		"hello":      {definition("1", "/hello", "http://u/"), "control API"},
		"metrics":    {definition("1", "/metrics/", "http://u/"), "control API"},
		"target":     {definition("1", "/a/", "/relative"), "proxy.target_url"},
		"no target":  {definition("1", "/a/", ""), "proxy.target_url"},
		"scheme":     {definition("1", "/a/", "ftp://u/"), "proxy.target_url"},
		"file":       {definition("1", "/a/", "file:///etc/passwd"), "proxy.target_url"},
		"opaque":     {definition("1", "/a/", "http:u"), "proxy.target_url"},
		"no host":    {definition("1", "/a/", "http://:80/"), "proxy.target_url"},
		"port":       {definition("1", "/a/", "http://u:99999/"), "proxy.target_url"},
		"bad port":   {definition("1", "/a/", "http://u:x/"), "proxy.target_url"},
	} {
		folder := t.TempDir()
		write(t, folder, map[string]any{"bad.json": c.content, "good.json": definition("good", "/good/", "http://u/")})
		definitions, failed, err := readDefinitions(folder)
		if err != nil {
			t.Fatal(name, err)
		}
		reason := failed[filepath.Join(folder, "bad.json")]
		served := 0
		for _, d := range definitions {
			if d.refused == nil {
				served++
			} else if reason == nil {
				reason = d.refused
			}
		}
		if served != 1 || reason == nil || !strings.Contains(reason.Error(), "bad.json") || !strings.Contains(reason.Error(), c.says) {
			t.Errorf("%s: %d served, %v", name, served, reason)
		}
	}
}

func TestASoundDefinitionIsRead(t *testing.T) {
	for name, content := range map[string]string{
		"unknown keys": `{"unknown": [1, null], "Unknown": null,` + definition("1", "/a/", "http://u/")[1:],
		"null parts":   `{"custom_middleware": null, "config_data": null, "event_handlers": null,` + definition("1", "/a/", "http://u/")[1:],
		"data":         `{"config_data": {"a": null, "A": 1},` + definition("1", "/a/", "http://u/")[1:],
		"space":        definition("1", "/sp ace/", "http://u/"),
		"letters":      definition("1", "/ä/", "http://u/"),
		"root":         definition("1", "/", "http://u/"),
		"near control": definition("1", "/tykes/", "http://u/"),
		"target":       definition("1", "/a/", "https://user:password@u:8443/path?query#fragment"),
	} {
		folder := t.TempDir()
		write(t, folder, map[string]any{"a.json": content})
		definitions, failed, err := readDefinitions(folder)
		if err != nil || len(failed) > 0 || len(definitions) != 1 || definitions[0].refused != nil {
			t.Errorf("%s: %v %v %v", name, definitions, failed, err)
		}
	}
}

func TestOnlyFilesAreDefinitions(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "[a-b]*?{c}")
	if err := os.MkdirAll(filepath.Join(folder, "folder.json"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, folder, map[string]any{"a.json": definition("1", "/a/", "http://u/"), ".b.json": "{", "c.json~": "{", "d.json.swp": "{"})
	for link, target := range map[string]string{".#a.json": "someone@host.1:2", "dangling.json": "nowhere", "loop.json": "loop.json"} {
		if err := os.Symlink(target, filepath.Join(folder, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	definitions, failed, err := readDefinitions(folder)
	if err != nil || len(definitions) != 1 {
		t.Fatal(definitions, err)
	}
	for _, name := range []string{"dangling.json", "loop.json", "pipe.json"} {
		if failed[filepath.Join(folder, name)] == nil {
			t.Errorf("%s is not named", name)
		}
		delete(failed, filepath.Join(folder, name))
	}
	if len(failed) > 0 {
		t.Error(failed)
	}
}
