package host

import (
	"fmt"
	"net/http"
	"strings"
)

// routes maps paths to APIs.
//
// A listen path matches whole segments (as in Tyk with enable_strict_routes), with or
// without a trailing slash; the longest one wins.
type routes struct {
	exact   map[string]*route // paths without subpaths
	apis    map[string]*route // by listen path, decoded, without trailing slash
	longest int               // length of the longest listen path
}

type route struct{ http.Handler }

func newRoutes(control http.Handler) *routes {
	r := &route{control}
	return &routes{
		exact:   map[string]*route{"/hello": r, "/metrics": r},
		apis:    map[string]*route{"/tyk": r},
		longest: len("/tyk"),
	}
}

// add routes a listen path to an API.
func (t *routes) add(listenPath string, h http.Handler) error {
	path, err := normalPath(listenPath)
	if err != nil || isAmbiguous(path) {
		return fmt.Errorf("proxy.listen_path %q is ambiguous: upstreams may interpret it differently", listenPath)
	}
	key := strings.TrimSuffix(decoded(path), "/")
	if t.apis[key] != nil {
		return fmt.Errorf("proxy.listen_path %q belongs to another API, or to the control API", listenPath)
	}
	t.apis[key] = &route{h}
	t.longest = max(t.longest, len(key))
	return nil
}

// ServeHTTP serves a request whose path is in normal form.
func (t *routes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	found := t.find(r.URL.Path)
	if path := r.URL.EscapedPath(); isAmbiguous(path) {
		for _, reading := range interpretations(path, max(t.longest, len("/metrics"))) {
			if t.find(reading) != found {
				writeError(w, http.StatusBadRequest, "Bad Request")
				return
			}
		}
	}
	if found == nil {
		http.NotFound(w, r)
		return
	}
	found.ServeHTTP(w, r)
}

// find returns the route of the longest listen path that is a prefix of the path, or nil.
func (t *routes) find(path string) *route {
	if h := t.exact[path]; h != nil {
		return h
	}
	for end := min(len(path), t.longest); end >= 0; end-- {
		if end == len(path) || path[end] == '/' {
			if h := t.apis[path[:end]]; h != nil {
				return h
			}
		}
	}
	return nil
}

// isAmbiguous reports whether upstreams may interpret a normal path differently.
func isAmbiguous(path string) bool {
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == ';', c == '.' && (i+1 == len(path) || path[i+1] == '/'):
			return true
		case c == '%' && i+2 < len(path):
			switch unhex(path[i+1])<<4 | unhex(path[i+2]) {
			case '/', '\\', ';', '?', '#':
				return true
			case ' ':
				if i+3 == len(path) || path[i+3] == '/' {
					return true
				}
			}
		}
	}
	return false
}

// interpretations returns the paths that upstreams may see in a normal path, decoded:
// with encoded slashes and backslashes as separators, without path parameters, without
// trailing dots and spaces in segments, in all combinations. A request is served only if
// all of them belong to the same API. Each is cut off after about limit bytes, beyond which no
// listen path matters: a path may be very long.
func interpretations(path string, limit int) []string {
	var all []string
	for choice := range 1 << 4 {
		slashes, backslashes, parameters, tails := choice&1 > 0, choice&2 > 0, choice&4 > 0, choice&8 > 0
		var out strings.Builder
		for segment := range strings.SplitSeq(path[1:], "/") {
			if out.Len() > limit {
				break
			}
			for piece := range strings.FieldsFuncSeq(decoded(segment), func(c rune) bool {
				return c == '/' && slashes || c == '\\' && backslashes
			}) {
				if parameters {
					piece = piece[:strings.IndexAny(piece+";", ";?#")]
				}
				if tails {
					piece = strings.TrimRight(piece, ". ")
				}
				if piece != "" {
					out.WriteByte('/')
					// An encoded slash must not match one in a listen path.
					out.WriteString(strings.ReplaceAll(piece, "/", "\x00"))
				}
			}
		}
		all = append(all, out.String())
	}
	return all
}

// stripped removes the listen path from a normal path. It returns the path unchanged if
// it is not below the listen path, which a hook may have removed.
func stripped(path, listenPath string) string {
	if normal, err := normalPath(listenPath); err == nil {
		listenPath = decoded(normal)
	}
	at := 0
	for i := 0; i < len(listenPath); i++ {
		if at == len(path) {
			if i == len(listenPath)-1 && listenPath[i] == '/' {
				return "/"
			}
			return path
		}
		c, width := path[at], 1
		if c == '%' && at+2 < len(path) {
			c, width = unhex(path[at+1])<<4|unhex(path[at+2]), 3
		}
		if c != listenPath[i] || c == '/' && width > 1 {
			return path
		}
		at += width
	}
	rest := path[at:]
	if rest != "" && rest[0] != '/' && !strings.HasSuffix(listenPath, "/") {
		return path // /apis is not below /api
	}
	return "/" + strings.TrimPrefix(rest, "/")
}
