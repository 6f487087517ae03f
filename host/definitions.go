package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readDefinition reads one file. If the definition is refused but its listen path is
// known, readDefinition returns both definition and error, with refused set: requests to
// that path must not reach another API.
func readDefinition(file string) (*Definition, error) {
	data, err := readFile(file)
	if err != nil {
		return nil, err
	}
	d := &Definition{file: file}
	if err := decodeFile(file, data, d); err != nil {
		if d = outline(file, data); d != nil {
			d.refused = err
		}
		return d, err
	}
	if err := checkListenPath(d.Proxy.ListenPath); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if d.APIID == "" {
		err = errors.New("api_id is missing")
	} else {
		err = d.check()
	}
	if err == nil && !d.inactive() {
		err = d.restrict(data)
	}
	if err != nil {
		d.refused = fmt.Errorf("%s: %w", file, err)
	}
	return d, d.refused
}

// outline returns a refused definition with only the fields needed to refuse its
// requests, or nil if they cannot be read. The file may have been cut off, or hold values of wrong
// types: what can be read of it counts.
func outline(file string, data []byte) *Definition {
	d := &Definition{file: file}
	decoder := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(data, []byte(byteOrderMark))))
	outlineObject(decoder, func(key string) {
		switch {
		case strings.EqualFold(key, "api_id"):
			d.APIID, _ = nextPlain(decoder).(string)
		case strings.EqualFold(key, "active"):
			active, is := nextPlain(decoder).(bool)
			if d.Active = nil; is {
				d.Active = &active
			}
		case strings.EqualFold(key, "proxy"):
			outlineObject(decoder, func(key string) {
				value := nextPlain(decoder)
				if path, is := value.(string); is && strings.EqualFold(key, "listen_path") {
					d.Proxy.ListenPath = path
				}
			})
		default:
			nextPlain(decoder)
		}
	})
	if checkListenPath(d.Proxy.ListenPath) != nil {
		return nil
	}
	return d
}

// outlineObject calls member for each key of the next value, which must be an object;
// member reads its value.
func outlineObject(decoder *json.Decoder, member func(key string)) {
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		skipRest(decoder, token)
		return
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return
		}
		key, _ := token.(string)
		member(key)
	}
	_, _ = decoder.Token()
}

// nextPlain reads the next value; nil where it is an object or a list, or is not read.
func nextPlain(decoder *json.Decoder) any {
	token, err := decoder.Token()
	if err != nil {
		return nil
	}
	skipRest(decoder, token)
	if _, nested := token.(json.Delim); nested {
		return nil
	}
	return token
}

// skipRest reads the rest of a value that begins with a token.
func skipRest(decoder *json.Decoder, token json.Token) {
	for depth := 0; ; {
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		var err error
		if depth <= 0 {
			return
		}
		if token, err = decoder.Token(); err != nil {
			return
		}
	}
}

// readDefinitions reads all active definitions in a folder: regular files *.json, and
// links to them. It skips names that begin with a dot, which editors use.
func readDefinitions(folder string) (definitions []*Definition, failed map[string]error, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("app_path: %w", err)
	}
	failed = map[string]error{}
	for _, entry := range entries {
		if entry.IsDir() || !strings.HasSuffix(entry.Name(), ".json") || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file := filepath.Join(folder, entry.Name())
		d, err := readDefinition(file)
		if _, gone := os.Lstat(file); errors.Is(err, fs.ErrNotExist) && gone != nil {
			continue // it has just been removed
		}
		switch {
		case d == nil, err != nil && d.inactive():
			failed[file] = err
		case !d.inactive():
			definitions = append(definitions, d)
		}
	}
	return definitions, failed, nil
}

// reservedPaths belong to the control API.
var reservedPaths = []string{"/hello", "/metrics", "/tyk"}

// checkListenPath returns an error if listen is not a valid listen path.
func checkListenPath(listen string) error {
	reason := ""
	switch key := listenKey(listen); {
	case !strings.HasPrefix(listen, "/"):
		reason = "must begin with /"
	case strings.ContainsAny(listen, "{}*"):
		reason = "contains a pattern, which this gateway does not support"
	case strings.ContainsAny(listen, "?#%;\\"):
		reason = "must be a plain path, written without percent-encoding"
	case strings.ContainsFunc(listen, func(c rune) bool { return c < ' ' || c == 0x7f }):
		reason = "contains a control character"
	case hasDotsOrEmpty(listen):
		reason = "must not contain empty, . or .. segments"
	case isUnclear(listen):
		reason = "must not contain segments that upstreams may interpret differently"
	case slices.Contains(reservedPaths, key), strings.HasPrefix(key, "/tyk/"):
		reason = "is reserved for the control API"
	default:
		return nil
	}
	return fmt.Errorf("proxy.listen_path %q %s", listen, reason)
}

func isUnclear(listen string) bool {
	path, err := normalPath(listen)
	return err != nil || isAmbiguous(path)
}

func hasDotsOrEmpty(listen string) bool {
	for segment := range strings.SplitSeq(strings.Trim(listen, "/"), "/") {
		if segment == "." || segment == ".." || segment == "" && strings.Trim(listen, "/") != "" {
			return true
		}
	}
	return strings.Contains(listen, "//")
}

// listenKey returns the same key for listen paths that would collide.
func listenKey(listen string) string {
	if listen == "/" {
		return listen
	}
	return strings.TrimSuffix(listen, "/")
}
