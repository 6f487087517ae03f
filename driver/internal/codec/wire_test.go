package codec

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/wiretest"
)

func TestUnknownFieldsOfASessionAreKept(t *testing.T) {
	data := appendSession(nil, &driver.Session{Alias: "a"})
	unknown := appendItem(appendInt(nil, 90, -7), 91, "later")
	data = append(data, unknown...)
	var s driver.Session
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
	sent := driver.Session{AccessRights: map[string]driver.AccessDefinition{"api": {APIID: "api", Unknown: unknown}}}
	data := appendSession(nil, &sent)
	var s driver.Session
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
	call := &driver.Call{Session: &driver.Session{}, Response: &driver.UpstreamResponse{Headers: map[string][]string{"A": {"b"}}}}
	seed, _ := AppendCall(nil, call)
	f.Add(seed)
	f.Add([]byte{0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, data []byte) {
		if reply, err := DecodeReply(string(data), call, ""); err == nil {
			_ = CheckReply(reply)
		}
	})
}

func FuzzSession(f *testing.F) {
	f.Add(appendSession(nil, &driver.Session{Alias: "a", Monitor: &driver.Monitor{TriggerLimits: []float64{1}}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var first, second driver.Session
		if decodeSession(&first, string(data)) != nil {
			return
		}
		if err := decodeSession(&second, string(appendSession(nil, &first))); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if !reflect.DeepEqual(wiretest.Tidy(first), wiretest.Tidy(second)) {
			t.Fatalf("%+v became %+v", first, second)
		}
	})
}

func TestHeadersThatWouldSplitAMessageAreRefused(t *testing.T) {
	for _, pair := range []driver.Pair{
		{Name: "X-A", Value: "one\r\ntwo"},
		{Name: "X-A", Value: "a\x00b"},
		{Name: "X-A", Value: "\x7f"},
		{Name: "", Value: "a"},
		{Name: "X A", Value: "a"},
		{Name: "X-A:", Value: "a"},
		{Name: "é", Value: "a"},
	} {
		reply := driver.Reply{SetHeaders: []driver.Pair{pair}}
		if CheckReply(&reply) == nil {
			t.Errorf("%q passed", pair)
		}
	}
	if err := CheckReply(&driver.Reply{SetHeaders: []driver.Pair{{Name: "X-A", Value: "a\tb é"}}}); err != nil {
		t.Error(err)
	}
}

// custom holds values in a way that the codec does not know.
type custom []driver.Pair

func (c custom) Each(f func(name, value string)) {
	for _, p := range c {
		f(p.Name, p.Value)
	}
}

func TestHeadersOfAnyTypeAreEncodedAlike(t *testing.T) {
	encode := func(values driver.Values) string {
		b, _ := AppendCall(nil, &driver.Call{Request: driver.Request{Headers: values, Params: values}})
		return string(b)
	}
	want := encode(driver.Single{"X-A": "first"})
	for _, values := range []driver.Values{
		driver.Multi{"X-A": {"first", "second"}, "X-None": {}}, custom{{Name: "X-A", Value: "first"}},
	} {
		if got := encode(values); got != want {
			t.Errorf("%T: got %q, want %q", values, got, want)
		}
	}
	if encode(nil) == want {
		t.Error("headers are not encoded")
	}
}
