package host

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestAPathHasOneNormalForm(t *testing.T) {
	for raw, want := range map[string]string{
		"/":                          "/",
		"//":                         "/",
		"/a/b/":                      "/a/b/",
		"//a///b//":                  "/a/b/",
		"/./a/./b/.":                 "/a/b/",
		"/a/../b":                    "/b",
		"/a/b/..":                    "/a/",
		"/../../a":                   "/a",
		"/%61dmin/%2e%2E/%7Eb":       "/~b",
		"/%2e%2e/a":                  "/a",
		"/a..b/.c/...":               "/a..b/.c/...",
		"/%20/%E9/%e9/%2B/%2f/a%2Fb": "/%20/%E9/%e9/%2B/%2f/a%2Fb",
		"/!$&'()*+,;=:@[]-._~":       "/!$&'()*+,;=:@[]-._~",
		"/é|\"<":                     "/%C3%A9%7C%22%3C",
		`/a\b#c`:                     "/a%5Cb%23c",
		"/%252e%252e/%2525":          "/%252e%252e/%2525",
		"/a;b=c/d":                   "/a;b=c/d",
	} {
		got, err := normalPath(raw)
		if err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", raw, got, err, want)
		}
		if again, err := normalPath(got); err != nil || again != got {
			t.Errorf("%s: its normal form %s becomes %s, %v", raw, got, again, err)
		}
	}
}

func TestAPathThatMayBeReadInSeveralWaysHasNone(t *testing.T) {
	for _, raw := range []string{
		"", "a", "*", "/%", "/%4", "/%zz", "/%00", "/a%0ab", "/\x01", "/%7f",
		"/..%2fa", "/a%2F..", "/a/%2e%2e%2Fb", "/..%5ca", `/..\a`, "/..;/a", "/.;x/a", "/..%3Bx/a",
		"/..%20/a", "/..%3fx", "/%c0%ae%c0%ae/a", "/a%c0%af..", "/%e0%80%ae/", "/%F0%80%80%AE/",
	} {
		if got, err := normalPath(raw); err == nil {
			t.Errorf("%s passed as %s", raw, got)
		}
	}
}

func TestOnlyPathsOfThisGatewayAreServed(t *testing.T) {
	for target, want := range map[string]string{
		"/a":                      "/a",
		"http://other/a/../b?c=d": "/b",
		"http://other":            "/",
		"http://other?c=/../d":    "/",
		"https://other//a":        "/a",
		"ftp://other/a":           "",
		"http:/a":                 "",
		"http://user@other/a":     "",
		"mailto:a":                "",
		"*":                       "",
	} {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: target}
		got := ""
		if normalise(r) == nil {
			got = r.URL.Path
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", target, got, want)
		}
	}
	r := httptest.NewRequest("CONNECT", "/a", nil)
	if normalise(r) == nil {
		t.Error("CONNECT passed")
	}
}

// served returns the name of the API that answers, the status where none does.
func served(t *testing.T, apis []string, target string) string {
	t.Helper()
	answers := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("API", name) })
	}
	routes := newRoutes(answers("control"))
	for _, path := range apis {
		if err := routes.add(path, answers(path)); err != nil {
			t.Fatal(err)
		}
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return "400"
	}
	r := &http.Request{Method: "GET", URL: u, RequestURI: target}
	if normalise(r) != nil {
		return "400"
	}
	w := httptest.NewRecorder()
	routes.ServeHTTP(w, r)
	if name := w.Header().Get("API"); name != "" {
		return name
	}
	return strings.ToLower(http.StatusText(w.Code))
}

func TestTheLongestListenPathServesWholeSegments(t *testing.T) {
	apis := []string{"/", "/admin/", "/admin/deep/", "/api", "/café/"}
	for target, want := range map[string]string{
		"/":                   "/",
		"/x":                  "/",
		"/admin":              "/admin/",
		"/admin/":             "/admin/",
		"/admin?x":            "/admin/",
		"/admin/deep":         "/admin/deep/",
		"/admin/deeper":       "/admin/",
		"/adminx":             "/",
		"/Admin/":             "/",
		"/api":                "/api",
		"/api/v1":             "/api",
		"/apis":               "/",
		"/caf%c3%a9/":         "/café/",
		"/caf%C3%A9":          "/café/",
		"/%61pi":              "/api",
		"/hello":              "control",
		"//hello":             "control",
		"/hello/x":            "/",
		"/metrics":            "control",
		"/tyk":                "control",
		"/%74yk/keys/a":       "control",
		"/tykx":               "/",
		"/tyk%2Fkeys/a":       "bad request",
		"/admin%2Fs":          "bad request",
		"/admin;x/s":          "bad request",
		"/admin%3bx/s":        "bad request",
		"/;x/admin/s":         "bad request",
		"/admin./s":           "bad request",
		"/admin%20/s":         "bad request",
		"/%5cadmin/s":         "bad request",
		"/x%2F..%2Fadmin":     "400",
		"/api/a%2Fb;c/d.":     "/api",
		"/x/a%2Fb;c=d/e.f.":   "/",
		"/admin/x%2F%2Fy%5Cz": "/admin/",
	} {
		if got := served(t, apis, target); got != want {
			t.Errorf("%s: served by %q, want %q", target, got, want)
		}
	}
	if got := served(t, []string{"/a/"}, "/b"); got != "not found" {
		t.Errorf("a path of no API is served by %q", got)
	}
}

func TestListenPathsThatMeanTheSameBelongToOneAPI(t *testing.T) {
	for _, path := range []string{"/a", "/a/", "//a", "/%61/", "/tyk", "/tyk/", "/a;b/", "/a%2Fb/"} {
		routes := newRoutes(http.NotFoundHandler())
		if err := routes.add("/a/", http.NotFoundHandler()); err != nil {
			t.Fatal(err)
		}
		if err := routes.add(path, http.NotFoundHandler()); err == nil || !strings.Contains(err.Error(), "proxy.listen_path") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTheListenPathIsStrippedWhereItIs(t *testing.T) {
	for _, c := range []struct{ listen, path, want string }{
		{"/a/", "/a/b", "/b"}, {"/a/", "/a/", "/"}, {"/a/", "/a", "/"}, {"/a", "/a/b", "/b"}, {"/a", "/a", "/"},
		{"/a", "/ab", "/ab"}, {"/a/", "/b/a/", "/b/a/"}, {"/", "/b", "/b"}, {"/a/", "/a%2Fb", "/a%2Fb"},
		{"/a b/", "/a%20b/c%20", "/c%20"}, {"/é/", "/%c3%a9/%2F", "/%2F"}, {"/a/", "/a/a/", "/a/"},
	} {
		if got := stripped(c.path, c.listen); got != c.want {
			t.Errorf("%s without %s is %s, want %s", c.path, c.listen, got, c.want)
		}
	}
}

var parameters = regexp.MustCompile(`;[^/]*`)

// upstreams are ways in which real servers read a path before they look for the file
// or the handler, each after its own order of steps.
var upstreams = map[string]func(string) string{
	"decodes once":              decodeOnce,
	"keeps encoded slashes":     func(p string) string { return decodeOnce(regexp.MustCompile(`(?i)%2f`).ReplaceAllString(p, "_")) },
	"reads backslashes":         func(p string) string { return strings.ReplaceAll(decodeOnce(p), `\`, "/") },
	"drops parameters, decodes": func(p string) string { return decodeOnce(parameters.ReplaceAllString(p, "")) },
	"decodes, drops parameters": func(p string) string { return parameters.ReplaceAllString(decodeOnce(p), "") },
	"drops dots and spaces": func(p string) string {
		return regexp.MustCompile(`[. ]+(/|$)`).ReplaceAllString(keepDots(decodeOnce(p)), "$1")
	},
	"drops parameters, backslash": func(p string) string {
		return strings.ReplaceAll(parameters.ReplaceAllString(decodeOnce(p), ""), `\`, "/")
	},
}

func decodeOnce(p string) string {
	out, err := url.PathUnescape(p)
	if err != nil {
		return p
	}
	return out
}

// keepDots resolves what are dot segments before dots are dropped.
func keepDots(p string) string { return path.Clean(p) }

// Whatever a client sends, no upstream finds a path of another API in it.
func FuzzAPathReachesOneAPIOnly(f *testing.F) {
	for _, seed := range []string{
		"/admin/s", "//admin/s", "/./admin/s", "/%2e/admin/s", "/pub/../admin/s", "/pub/..%2fadmin/s", "/pub/..;/admin",
		`/pub/..\admin/s`, "/%5cadmin", "/admin%2fs", "/;a/admin", "/admin;/x", "/admin%3b/", "/admin./", "/admin%20/x",
		"/pub/%c0%ae%c0%ae/admin", "/pub/a..b/.c", "/%252e%252e/admin", "/pub/.%20./x", "/pub/...", "/pub;/../admin",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || !strings.HasPrefix(raw, "/") {
			return
		}
		r := &http.Request{Method: "GET", URL: u, RequestURI: raw}
		if normalise(r) != nil {
			return
		}
		sent := r.URL.EscapedPath()
		if again, err := normalPath(sent); err != nil || again != sent {
			t.Fatalf("%q: the normal form %q becomes %q, %v", raw, sent, again, err)
		}
		api := served(t, []string{"/", "/admin/", "/pub/"}, raw)
		if len(api) > 1 && api[0] != '/' || api == "/admin/" {
			return
		}
		if api == "/pub/" {
			target := &url.URL{Path: "/public/"}
			setPath(u, stripped(sent, "/pub/"))
			joined := &url.URL{}
			joined.Path, joined.RawPath = join(target, u)
			sent = joined.EscapedPath()
		}
		for name, read := range upstreams {
			seen := path.Clean("/" + read(sent))
			if below(seen, "/admin") || api == "/pub/" && !below(seen, "/public") {
				t.Errorf("%q is served by %s and sent as %q; an upstream that %s reads %q", raw, api, sent, name, seen)
			}
		}
	})
}

func below(p, folder string) bool { return p == folder || strings.HasPrefix(p, folder+"/") }

// TestAnInterpretationEndsWhereNoListenPathMatters keeps a path of a MiB from costing sixteen times
// its length.
func TestAnInterpretationEndsWhereNoListenPathMatters(t *testing.T) {
	for _, piece := range []string{"/a.", "/%2f", "/;", "/b%5Cc", "/%20"} {
		for _, reading := range interpretations("/x/"+strings.Repeat(piece, 1000), 20) {
			if len(reading) > 40 {
				t.Errorf("%s: a reading has %d bytes", piece, len(reading))
			}
		}
	}
}
