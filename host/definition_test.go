package host

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
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

func TestWhatIsWrongWithADefinitionNamesTheFileAndTheKey(t *testing.T) {
	folder := t.TempDir()
	for name, content := range map[string]string{
		"good.json":    `{"api_id": "1", "proxy": {"listen_path": "/a/", "target_url": "http://u/"}, "unknown": [1]}`,
		"off.json":     `{"api_id": "2", "active": false, "proxy": {"listen_path": "/a/", "target_url": "http://u/"}}`,
		"id.json":      `{"proxy": {"listen_path": "/b/", "target_url": "http://u/"}}`,
		"listen.json":  `{"api_id": "3", "proxy": {"listen_path": "b", "target_url": "http://u/"}}`,
		"pattern.json": `{"api_id": "4", "proxy": {"listen_path": "/{x}/", "target_url": "http://u/"}}`,
		"target.json":  `{"api_id": "5", "proxy": {"listen_path": "/c/", "target_url": "/relative"}}`,
		"twice.json":   `{"api_id": "6", "proxy": {"listen_path": "/a/", "target_url": "http://u/"}}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	definitions, failed, err := readDefinitions(folder)
	if err != nil || len(definitions) != 1 || definitions[0].APIID != "1" {
		t.Fatal(definitions, err)
	}
	for name, key := range map[string]string{
		"id.json": "api_id", "listen.json": "proxy.listen_path", "pattern.json": "proxy.listen_path",
		"target.json": "proxy.target_url", "twice.json": "listen_path /a/ is that of",
	} {
		err := failed[filepath.Join(folder, name)]
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
