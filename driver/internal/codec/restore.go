package codec

import (
	"net/textproto"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// HTTP carries bytes, protobuf strings are UTF-8. Hooks see invalid UTF-8 replaced by
// U+FFFD. A value that a hook returns unchanged is restored to the original bytes.

const replacement = "\uFFFD"

// toUTF8 returns s as hooks see it.
func toUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, replacement)
}

// equalAsUTF8 reports whether text is s as hooks see it.
func equalAsUTF8(text, s string) bool {
	return text == s || strings.Contains(text, replacement) && text == toUTF8(s)
}

// restoreURL returns an edited URL with the original query, if the hook did not change
// the query.
func restoreURL(edited, sent string) string {
	path, query, _ := strings.Cut(edited, "?")
	if _, was, _ := strings.Cut(sent, "?"); query != was && equalAsUTF8(query, was) {
		return path + "?" + was
	}
	return edited
}

// restoreHeader restores the value of a header that a hook sets.
func restoreHeader(p *driver.Pair, sent driver.Values) {
	if sent == nil || !strings.Contains(p.Value, replacement) {
		return
	}
	canonical := textproto.CanonicalMIMEHeaderKey(p.Name)
	sent.Each(func(name, value string) {
		if (name == p.Name || name == canonical) && equalAsUTF8(p.Value, value) {
			p.Value = value
		}
	})
}

// restoreParams restores the names and values of parameters. If hooks see several
// parameters under one name, setting or deleting that name concerns all of them.
func restoreParams(r *driver.Reply, sent driver.Values) {
	if sent == nil {
		return
	}
	for _, name := range r.DeleteParams {
		r.DeleteParams = append(r.DeleteParams, originalNames(name, sent)...)
	}
	for i := range r.AddParams {
		p := &r.AddParams[i]
		names := originalNames(p.Name, sent)
		if len(names) > 0 {
			r.DeleteParams = append(r.DeleteParams, names[1:]...)
			p.Name = names[0]
		}
		if strings.Contains(p.Value, replacement) {
			sent.Each(func(name, value string) {
				if name == p.Name && equalAsUTF8(p.Value, value) {
					p.Value = value
				}
			})
		}
	}
}

// originalNames returns the names, other than name itself, that hooks see as name.
func originalNames(name string, sent driver.Values) (names []string) {
	if !strings.Contains(name, replacement) {
		return nil
	}
	sent.Each(func(was, _ string) {
		if was != name && toUTF8(was) == name {
			names = append(names, was)
		}
	})
	slices.Sort(names)
	return names
}

// restoreValues restores the values of one response header, in place. Most values keep
// their position.
func restoreValues(values, sent []string) {
	for i, value := range values {
		if !strings.Contains(value, replacement) {
			continue
		}
		if i < len(sent) && toUTF8(sent[i]) == value {
			values[i] = sent[i]
		} else if j := slices.IndexFunc(sent, func(s string) bool { return toUTF8(s) == value }); j >= 0 {
			values[i] = sent[j]
		}
	}
}
