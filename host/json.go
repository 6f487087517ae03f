package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// maxFileBytes bounds the files of definitions, manifests, policies and settings.
const maxFileBytes = 32 << 20

const byteOrderMark = "\xef\xbb\xbf"

// readFile reads a regular file, or a link to one. Others, such as pipes, may block.
func readFile(file string) ([]byte, error) {
	f, err := openRegular(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("%s is larger than %d bytes", file, maxFileBytes)
	}
	return data, err
}

// decodeFile decodes JSON into a new value; errors name file and line. It rejects mistakes
// that encoding/json accepts: a key that appears twice, and null for a number, a string
// or a whole entry.
func decodeFile[T any](file string, data []byte, into *T) error {
	offset, err := decodeJSON(data, into)
	if err == nil {
		return nil
	}
	line := 1 + bytes.Count(data[:min(offset, int64(len(data)))], []byte("\n"))
	return fmt.Errorf("%s:%d: %w", file, line, err)
}

func decodeJSON(data []byte, into any) (offset int64, err error) {
	switch {
	case bytes.HasPrefix(data, []byte(byteOrderMark)):
		return 0, errors.New("begins with a byte order mark: save it as UTF-8 without one")
	case !utf8.Valid(data):
		return 0, errors.New("is not UTF-8")
	}
	if err := json.Unmarshal(data, into); err != nil {
		offset = int64(len(data))
		var syntax *json.SyntaxError
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &syntax) {
			offset = syntax.Offset
		} else if errors.As(err, &wrong) {
			offset = wrong.Offset
		}
		return offset, err
	}
	s := strict{json.NewDecoder(bytes.NewReader(data))}
	s.UseNumber()
	null, err := s.value(reflect.TypeOf(into).Elem())
	if err == nil && null {
		err = errors.New("must be a JSON object, not null")
	}
	return s.InputOffset(), err
}

// strict walks through JSON that encoding/json has accepted.
type strict struct{ *json.Decoder }

// value checks the next value, which is decoded as type t; t is nil if that is unknown.
func (s strict) value(t reflect.Type) (null bool, err error) {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t != nil && reflect.PointerTo(t).Implements(unmarshaler) {
		t = nil // it decodes itself
	}
	token, err := s.Token()
	if err != nil {
		return false, err
	}
	switch token {
	case json.Delim('{'):
		return false, s.object(t)
	case json.Delim('['):
		return false, s.list(t)
	}
	return token == nil, nil
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

func (s strict) object(t reflect.Type) error {
	seen := map[string]bool{}
	for s.More() {
		token, err := s.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		element, name := member(t, key)
		if seen[name] {
			return fmt.Errorf("%q appears twice", key)
		}
		seen[name] = true
		null, err := s.value(element)
		if err != nil {
			return err
		}
		entry := t != nil && t.Kind() == reflect.Map && element.Kind() == reflect.Struct
		if null && (entry || isPlainKind(element)) {
			return fmt.Errorf("%q must not be null", key)
		}
	}
	_, err := s.Token()
	return err
}

func (s strict) list(t reflect.Type) error {
	var element reflect.Type
	if t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array) {
		element = t.Elem()
	}
	for s.More() {
		null, err := s.value(element)
		if err != nil {
			return err
		}
		if null && element != nil && (element.Kind() == reflect.Struct || isPlainKind(element)) {
			return errors.New("an entry of a list must not be null")
		}
	}
	_, err := s.Token()
	return err
}

// member returns the type of a member of an object, and the name by which encoding/json
// finds it: for structs it ignores the case of keys.
func member(t reflect.Type, key string) (element reflect.Type, name string) {
	if t == nil {
		return nil, key
	}
	switch t.Kind() {
	case reflect.Map:
		return t.Elem(), key
	case reflect.Struct:
		for _, field := range reflect.VisibleFields(t) {
			tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if tag != "" && strings.EqualFold(tag, key) {
				return field.Type, tag
			}
		}
	}
	return nil, key
}

// isPlainKind reports whether null would leave a value of type t unchanged.
func isPlainKind(t reflect.Type) bool {
	if t == nil {
		return false
	}
	switch t.Kind() {
	case reflect.Bool, reflect.String, reflect.Float32, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return false
}
