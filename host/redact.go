package host

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// hidden replaces secrets in the log.
const hidden = "***"

// redactor removes secrets from the log: known ones, and everything that looks like one.
// Every record passes through attr.
type redactor struct {
	mu       sync.Mutex
	known    map[string]bool
	replacer atomic.Pointer[strings.Replacer]
}

// minSecretLength is the length below which secrets are not replaced: that would garble
// the log and reveal the secret.
const minSecretLength = 6

// addSecrets adds secrets that must not appear in the log, plain or URL-encoded.
func (r *redactor) addSecrets(secrets ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = map[string]bool{}
	}
	for _, secret := range secrets {
		if len(secret) >= minSecretLength {
			r.known[secret], r.known[url.QueryEscape(secret)], r.known[url.PathEscape(secret)] = true, true, true
		}
	}
	pairs := make([]string, 0, 2*len(r.known))
	for secret := range r.known {
		pairs = append(pairs, secret, hidden)
	}
	r.replacer.Store(strings.NewReplacer(pairs...))
}

// addURL adds the password of a URL.
func (r *redactor) addURL(u *url.URL) {
	if u != nil && u.User != nil {
		password, _ := u.User.Password()
		r.addSecrets(password)
	}
}

// attr implements slog.HandlerOptions.ReplaceAttr. It receives the message and all values.
func (r *redactor) attr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		return slog.String(a.Key, r.text(a.Value.String()))
	case slog.KindAny:
		switch value := a.Value.Any().(type) {
		case nil, slog.Level, *slog.Source: // slog's own
		case error:
			return slog.String(a.Key, r.text(errorText(value)))
		case *url.URL:
			return slog.String(a.Key, r.text(showURL(value.String())))
		default:
			before := fmt.Sprint(value)
			if after := r.text(before); after != before {
				return slog.String(a.Key, after)
			}
		}
	}
	return a
}

// text returns s without secrets.
func (r *redactor) text(s string) string {
	if replacer := r.replacer.Load(); replacer != nil {
		s = replacer.Replace(s)
	}
	return Redact(s)
}

var patterns = []struct {
	sign string // required in s; saves the search in most texts
	find *regexp.Regexp
	put  string
}{
	// scheme://user:password@
	{"@", regexp.MustCompile(`([a-zA-Z][a-zA-Z0-9+.-]*://)[^/\s"'<>]*@`), "${1}" + hidden + "@"},
	// The query of a URL or a path, and the fragment of a URL.
	{"?", regexp.MustCompile(`\?[^\s"'<>]*=[^\s"'<>]*`), "?" + hidden},
	{"?", regexp.MustCompile(`(/[^\s"'<>?#]*)\?[^\s"'<>]+`), "${1}?" + hidden},
	{"#", regexp.MustCompile(`(://[^\s"'<>?#]*)#[^\s"'<>]+`), "${1}#" + hidden},
	// The keys API.
	{"/keys/", regexp.MustCompile(`(/tyk/+keys/+)[^\s"'<>?#]+`), "${1}" + hidden},
	// Headers that authenticate, as text, JSON or Python's repr.
	{":", credentials, "${1}" + hidden},
	{"=", credentials, "${1}" + hidden},
}

var credentials = regexp.MustCompile(
	`(?i)\b((?:x-tyk-|proxy-)?authorization\\*["']?[\])]?\s*[:=]\s*[\[(]?\\*["']?(?:(?:bearer|basic|digest)\s+)?)[^\s"',;)\]}\\]+`)

// Redact removes everything from s that looks like a secret: user and password of URLs,
// queries, keys in paths, values of Authorization headers.
func Redact(s string) string {
	for _, p := range patterns {
		if strings.Contains(s, p.sign) {
			s = p.find.ReplaceAllString(s, p.put)
		}
	}
	return s
}

// errorText returns an error's text. URLs quoted by net/url or net/http are shortened, since
// they may contain secrets.
func errorText(err error) string {
	text := err.Error()
	var fault *url.Error
	if errors.As(err, &fault) && fault.URL != "" {
		shown := showURL(fault.URL)
		text = strings.ReplaceAll(text, strconv.Quote(fault.URL), strconv.Quote(shown))
		text = strings.ReplaceAll(text, fault.URL, shown)
	}
	return text
}

// showURL returns a URL for the log and for errors, without user, password, query and
// fragment. raw may be invalid: a password may contain any character.
func showURL(raw string) string {
	if at := strings.LastIndexByte(raw, '@'); at >= 0 {
		scheme, _, found := strings.Cut(raw, "://")
		if found && len(scheme) < at {
			scheme += "://"
		} else {
			scheme = ""
		}
		raw = scheme + hidden + raw[at:]
	}
	if end := strings.IndexAny(raw, "?#"); end >= 0 {
		raw = raw[:end]
	}
	return raw
}

// showPath returns a request's path for the log, without keys of the keys API, also
// where the path is one that the gateway refuses.
func showPath(requested string) string {
	plain := pathParams.ReplaceAllString(strings.ReplaceAll(requested, `\`, "/"), "")
	parts := strings.SplitN(strings.TrimPrefix(path.Clean("/"+plain), "/"), "/", 3)
	if len(parts) == 3 && strings.EqualFold(parts[0], "tyk") && !strings.EqualFold(parts[1], "reload") {
		return "/" + parts[0] + "/" + parts[1] + "/" + hidden
	}
	return requested
}

var pathParams = regexp.MustCompile(`;[^/]*`)

// urlFault returns the reason why a URL is invalid, without any part of the URL.
func urlFault(err error) string {
	var fault *url.Error
	if errors.As(err, &fault) {
		err = fault.Err
	}
	text, _, quoted := strings.Cut(err.Error(), ` "`)
	if quoted {
		return text
	}
	return Redact(text)
}
