package driver

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// tidy replaces what the wire cannot tell apart: empty and nil, odd bytes in
// strings, and NaN, which equals nothing.
func tidy(s Session) Session {
	clean(reflect.ValueOf(&s).Elem())
	return s
}

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			v.SetString(strings.ToValidUTF8(v.String(), "\uFFFD"))
		}
	case reflect.Float64:
		if math.IsNaN(v.Float()) {
			v.SetFloat(0)
		}
	case reflect.Struct:
		for i := 0; i < v.NumField(); i++ {
			clean(v.Field(i))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem())
		}
	case reflect.Slice:
		if v.Len() == 0 {
			v.SetZero()
		}
		for i := 0; i < v.Len(); i++ {
			clean(v.Index(i))
		}
	case reflect.Map:
		if v.Len() == 0 {
			v.SetZero()
			return
		}
		m := reflect.MakeMap(v.Type())
		for _, key := range v.MapKeys() {
			k, e := reflect.New(key.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
			k.Set(key)
			e.Set(v.MapIndex(key))
			clean(k)
			clean(e)
			m.SetMapIndex(k, e)
		}
		v.Set(m)
	}
}

func TestUnknownFieldsOfASessionAreKept(t *testing.T) {
	data := appendSession(nil, &Session{Alias: "a"})
	unknown := appendItem(appendInt(nil, 90, -7), 91, "later")
	data = append(data, unknown...)
	var s Session
	if err := decodeSession(&s, string(data)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s.Unknown, unknown) {
		t.Errorf("unknown fields are %x, want %x", s.Unknown, unknown)
	}
	if got := appendSession(nil, &s); !bytes.Equal(got, data) {
		t.Errorf("written again %x, want %x", got, data)
	}
}

func TestUnknownFieldsOfAnAccessRightAreKept(t *testing.T) {
	unknown := appendItem(appendInt(nil, 5, 7), 6, "later")
	sent := Session{AccessRights: map[string]AccessDefinition{"api": {APIID: "api", Unknown: unknown}}}
	data := appendSession(nil, &sent)
	var s Session
	if err := decodeSession(&s, string(data)); err != nil {
		t.Fatal(err)
	}
	if got := s.AccessRights["api"].Unknown; !bytes.Equal(got, unknown) {
		t.Errorf("unknown fields are %x, want %x", got, unknown)
	}
	if got := appendSession(nil, &s); !bytes.Equal(got, data) {
		t.Errorf("written again %x, want %x", got, data)
	}
}

func TestLongMessagesGetLongLengths(t *testing.T) {
	for _, size := range []int{0, 1, 127, 128, 16383, 16384, 1 << 21} {
		b, start := openMessage([]byte("before"), 3)
		b = append(b, bytes.Repeat([]byte("x"), size)...)
		f := fields{rest: string(closeMessage(b, start))[len("before"):]}
		if !f.next() || len(f.text) != size || f.rest != "" {
			t.Errorf("a message of %d bytes came back with %d, %v", size, len(f.text), f.err)
		}
	}
}

func FuzzDecodeReply(f *testing.F) {
	call := &Call{Session: &Session{}, Response: &UpstreamResponse{Headers: map[string][]string{"A": {"b"}}}}
	seed, _ := appendCall(nil, call)
	f.Add(seed)
	f.Add([]byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		reply := &Reply{}
		if err := decodeReply(reply, string(data), call, ""); err == nil {
			_ = checkReply(reply)
		}
	})
}

func FuzzSession(f *testing.F) {
	f.Add(appendSession(nil, &Session{Alias: "a", Monitor: &Monitor{TriggerLimits: []float64{1}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second Session
		if decodeSession(&first, string(data)) != nil {
			return
		}
		if err := decodeSession(&second, string(appendSession(nil, &first))); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !reflect.DeepEqual(tidy(first), tidy(second)) {
			t.Fatalf("%+v became %+v", first, second)
		}
	})
}

func TestHeadersThatWouldSplitAMessageAreRefused(t *testing.T) {
	for _, pair := range []Pair{
		{"X-A", "one\r\ntwo"}, {"X-A", "a\x00b"}, {"X-A", "\x7f"}, {"", "a"}, {"X A", "a"}, {"X-A:", "a"}, {"é", "a"},
	} {
		reply := Reply{SetHeaders: []Pair{pair}}
		if checkReply(&reply) == nil {
			t.Errorf("%q passed", pair)
		}
	}
	if err := checkReply(&Reply{SetHeaders: []Pair{{"X-A", "a\tb é"}}}); err != nil {
		t.Error(err)
	}
}
