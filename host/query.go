package host

import (
	"errors"
	"net/url"
	"strings"
)

// maxParams bounds the parameters of a request to an API with hooks.
const maxParams = 10_000

// errTooManyParams is returned for a query with more than maxParams parameters.
var errTooManyParams = errors.New("too many query parameters")

// normaliseQuery converts a query to a form in which hooks and upstreams find the same
// parameters, and returns them.
func normaliseQuery(u *url.URL) (url.Values, error) {
	if strings.Count(u.RawQuery, "&") >= maxParams {
		return nil, errTooManyParams
	}
	u.RawQuery = normalQuery(u.RawQuery)
	return url.ParseQuery(u.RawQuery)
}

// normalQuery encodes characters that servers interpret differently: semicolons, which
// some treat like ampersands, number signs, where some stop, and percent signs that are
// not part of an encoding. Hooks see all of them as data.
func normalQuery(raw string) string {
	var out []byte
	done := 0 // length of raw that is in out
	for i := 0; i < len(raw); i++ {
		code := ""
		switch c := raw[i]; {
		case c == ';':
			code = "%3B"
		case c == '#':
			code = "%23"
		case c == '%' && (i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2])):
			code = "%25"
		}
		if code != "" {
			out = append(append(out, raw[done:i]...), code...)
			done = i + 1
		}
	}
	if done == 0 {
		return raw
	}
	return string(append(out, raw[done:]...))
}
