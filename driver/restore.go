package driver

import (
	"net/textproto"
	"slices"
	"strings"
	"unicode/utf8"
)

// HTTP is bytes, protobuf's strings are UTF-8: what is not UTF-8 is shown to hooks with
// U+FFFD in its place. What a hook gives back as it was shown is what was sent, bytes
// and all.

const replacement = "\uFFFD"

// shown returns s as hooks see it.
func shown(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, replacement)
}

// isShown tells whether text is s as hooks see it.
func isShown(text, s string) bool {
	return text == s || strings.Contains(text, replacement) && text == shown(s)
}

// restoreURL returns an edited URL with the query as it was sent, where that was left
// alone.
func restoreURL(edited, sent string) string {
	path, query, _ := strings.Cut(edited, "?")
	if _, was, _ := strings.Cut(sent, "?"); query != was && isShown(query, was) {
		return path + "?" + was
	}
	return edited
}

// restoreHeader restores the value of a header that a hook sets.
func (p *Pair) restoreHeader(sent Values) {
	if sent == nil || !strings.Contains(p.Value, replacement) {
		return
	}
	canonical := textproto.CanonicalMIMEHeaderKey(p.Name)
	sent.each(func(name, value string) {
		if (name == p.Name || name == canonical) && isShown(p.Value, value) {
			p.Value = value
		}
	})
}

// restoreParams restores the names and values of parameters. Where several were shown
// under one name, a hook that sets or deletes it means all of them.
func (r *Reply) restoreParams(sent Values) {
	if sent == nil {
		return
	}
	for _, name := range r.DeleteParams {
		r.DeleteParams = append(r.DeleteParams, shownAs(name, sent)...)
	}
	for i := range r.AddParams {
		p := &r.AddParams[i]
		names := shownAs(p.Name, sent)
		if len(names) > 0 {
			r.DeleteParams = append(r.DeleteParams, names[1:]...)
			p.Name = names[0]
		}
		if strings.Contains(p.Value, replacement) {
			sent.each(func(name, value string) {
				if name == p.Name && isShown(p.Value, value) {
					p.Value = value
				}
			})
		}
	}
}

// shownAs returns the names, other than it, that hooks see as name.
func shownAs(name string, sent Values) (names []string) {
	if !strings.Contains(name, replacement) {
		return nil
	}
	sent.each(func(was, _ string) {
		if was != name && shown(was) == name {
			names = append(names, was)
		}
	})
	slices.Sort(names)
	return names
}

// restoreValues restores the values of one header of a response, in place. Most have
// kept their position.
func restoreValues(values, sent []string) {
	for i, value := range values {
		if !strings.Contains(value, replacement) {
			continue
		}
		if i < len(sent) && shown(sent[i]) == value {
			values[i] = sent[i]
		} else if j := slices.IndexFunc(sent, func(s string) bool { return shown(s) == value }); j >= 0 {
			values[i] = sent[j]
		}
	}
}
