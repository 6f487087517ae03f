package host

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// errInvalidPath is returned for a path that has no normal form.
var errInvalidPath = errors.New("invalid path")

// normalise converts the request's path to its normal form, which routing, hooks and the
// upstream use.
func normalise(r *http.Request) error {
	if r.Method == http.MethodConnect || r.URL.Opaque != "" || r.URL.User != nil {
		return errInvalidPath
	}
	if s := r.URL.Scheme; s != "" && (s != "http" && s != "https" || r.URL.Host == "") {
		return errInvalidPath
	}
	path, err := normalPath(rawPath(r.RequestURI))
	if err == nil && path != r.URL.EscapedPath() {
		setPath(r.URL, path)
	}
	return err
}

// rawPath returns the path of a request target as received.
func rawPath(target string) string {
	target, _, _ = strings.Cut(target, "?")
	if strings.HasPrefix(target, "/") {
		return target
	}
	_, rest, absolute := strings.Cut(target, "://") // absolute form, used by clients of a proxy
	if !absolute {
		return target
	}
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		return rest[slash:]
	}
	return "/"
}

// setPath sets a normal path.
func setPath(u *url.URL, path string) {
	u.Path, u.RawPath = decoded(path), ""
	if u.EscapedPath() != path {
		u.RawPath = path
	}
}

// normalPath returns the normal form of a path: dot segments are resolved, empty segments
// removed, unreserved characters decoded, and characters that are invalid in URLs encoded.
// Other encoded characters stay encoded. The normal form of a normal path is the path.
//
// It returns an error for a path that an upstream could interpret differently: one with
// control characters, overlong UTF-8, or dot segments next to an encoded slash, a
// backslash or a path parameter.
func normalPath(raw string) (string, error) {
	if !strings.HasPrefix(raw, "/") {
		return "", errInvalidPath
	}
	if isPlain(raw) {
		return raw, nil
	}
	out := make([]byte, 0, len(raw)+16)
	for rest, more := raw[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		start := len(out)
		out = append(out, '/')
		var err error
		if out, err = appendSegment(out, segment); err != nil {
			return "", err
		}
		switch written := string(out[start+1:]); written {
		case "", ".":
			out = out[:start]
		case "..":
			out = out[:max(bytes.LastIndexByte(out[:start], '/'), 0)]
		default:
			if hidesDots(written) {
				return "", errInvalidPath
			}
			continue
		}
		if !more {
			out = append(out, '/')
		}
	}
	return string(out), nil
}

// isPlain reports cheaply whether a path is normal, as most are.
func isPlain(path string) bool {
	for i := 0; i < len(path); i++ {
		if c := path[i]; !pathBytes[c] || c == ';' || c == '/' && i+1 < len(path) && (path[i+1] == '/' || path[i+1] == '.') {
			return false
		}
	}
	return true
}

// appendSegment appends the normal form of a segment.
func appendSegment(out []byte, segment string) ([]byte, error) {
	var before byte
	for i := 0; i < len(segment); i++ {
		c, spelling := segment[i], segment[i:i+1]
		if c == '%' {
			if i+2 >= len(segment) || !isHex(segment[i+1]) || !isHex(segment[i+2]) {
				return nil, errInvalidPath
			}
			spelling = segment[i : i+3]
			c = unhex(segment[i+1])<<4 | unhex(segment[i+2])
			i += 2
		}
		switch {
		case c < ' ' || c == 0x7f || overlong(before, c):
			return nil, errInvalidPath
		case unreserved(c):
			out = append(out, c)
		case len(spelling) == 3 || pathBytes[c]:
			out = append(out, spelling...)
		default:
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
		before = c
	}
	return out, nil
}

// hidesDots reports whether an upstream may see a dot segment in a segment.
func hidesDots(segment string) bool {
	if !strings.ContainsAny(segment, "%;") {
		return false
	}
	for piece := range strings.FieldsFuncSeq(decoded(segment), isSeparator) {
		piece, _, _ = strings.Cut(piece, ";")
		if piece = strings.TrimRight(piece, " "); piece == "." || piece == ".." {
			return true
		}
	}
	return false
}

// isSeparator reports whether c ends a segment for servers that decode before they split.
func isSeparator(c rune) bool { return strings.ContainsRune("/\\?#", c) }

// overlong reports whether two bytes begin an overlong UTF-8 sequence, which lenient
// decoders may turn into dots and slashes.
func overlong(first, second byte) bool {
	switch first {
	case 0xc0, 0xc1:
		return second >= 0x80 && second < 0xc0
	case 0xe0:
		return second >= 0x80 && second < 0xa0
	case 0xf0:
		return second >= 0x80 && second < 0x90
	}
	return false
}

// decoded decodes a normal path or segment.
func decoded(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	out, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	return out
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// pathBytes are the bytes that need no encoding in a path: those of RFC 3986, and
// brackets, which Go's net/url does not encode either.
var pathBytes = func() (table [256]bool) {
	for c := range 256 {
		table[c] = unreserved(byte(c)) || strings.IndexByte("/!$&'()*+,;=:@[]", byte(c)) >= 0
	}
	return table
}()

const upperHex = "0123456789ABCDEF"

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
