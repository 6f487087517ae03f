//go:build coprocess && python

package inproc

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/quick"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/codec"
	"github.com/tyk-cffi/tyk-cffi/driver/internal/wiretest"
)

func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// firsts returns the first value of each name, as hooks see it.
func firsts(values map[string][]string) map[string]string {
	out := map[string]string{}
	for name, list := range values {
		if len(list) > 0 {
			out[text(name)] = text(list[0])
		}
	}
	return out
}

func TestPythonReadsWhatGoWrote(t *testing.T) {
	hook := bind(t, driver.Pre, "tell_request", "config_data", `{"a": 1}`)
	same := func(headers, params map[string][]string, method, url, uri, scheme, host string, body []byte) bool {
		reply, err := hook.Dispatch(context.Background(), &driver.Call{Request: driver.Request{
			Method: method, URL: url, RequestURI: uri, Scheme: scheme, Host: host,
			Headers: driver.Multi(headers), Params: driver.Multi(params), Body: body,
		}})
		if err != nil {
			t.Log(err)
			return false
		}
		var seen struct {
			Headers, Params, Spec          map[string]string
			Method, URL, URI, Scheme, Body string
			Code                           int
		}
		if err := json.Unmarshal([]byte(reply.Overrides.ResponseBody), &seen); err != nil {
			return false
		}
		want := firsts(headers)
		if host != "" {
			want["Host"] = text(host)
		}
		return reflect.DeepEqual(seen.Headers, want) && reflect.DeepEqual(seen.Params, firsts(params)) &&
			seen.Method == text(method) && seen.URL == text(url) && seen.URI == text(uri) &&
			seen.Scheme == text(scheme) && seen.Code == -1 && seen.Body == hex.EncodeToString(body) &&
			seen.Spec["config_data"] == `{"a": 1}` && seen.Spec["APIID"] == "api"
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 200}); err != nil {
		t.Error(err)
	}
}

func TestGoReadsWhatPythonWrote(t *testing.T) {
	hook := bind(t, driver.Pre, "apply_changes")
	same := func(set, params, headers map[string]string, gone, goneParams []string, url, errorText, body string, code int16, override bool) bool {
		told, _ := json.Marshal(map[string]any{
			"set_headers": set, "add_params": params, "delete_headers": gone, "delete_params": goneParams,
			"url": url,
			"return_overrides": map[string]any{
				"response_code": code, "response_error": errorText, "response_body": body,
				"headers": headers, "override_error": override,
			},
		})
		call := &driver.Call{Request: driver.Request{URL: "/was", Body: told}}
		data := askRaw(t, hook, call)
		reply, err := codec.DecodeReply(data, call, "")
		if err != nil {
			t.Log(err)
			return false
		}
		return reflect.DeepEqual(pairs(reply.SetHeaders), utf8Map(set)) &&
			reflect.DeepEqual(pairs(reply.AddParams), utf8Map(params)) &&
			reflect.DeepEqual(pairs(reply.Overrides.Headers), utf8Map(headers)) &&
			reflect.DeepEqual(append([]string{}, reply.DeleteHeaders...), utf8List(gone)) &&
			reflect.DeepEqual(append([]string{}, reply.DeleteParams...), utf8List(goneParams)) &&
			(reply.URL == text(url) || text(url) == "/was") && reply.Overrides.ResponseCode == int(code) &&
			reply.Overrides.ResponseError == text(errorText) && reply.Overrides.ResponseBody == text(body) &&
			reply.Overrides.OverrideError == override
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 200}); err != nil {
		t.Error(err)
	}
}

// askRaw returns the message of the reply before it is decoded and checked.
func askRaw(t *testing.T, h driver.Hook, call *driver.Call) string {
	c := python.calls.get()
	defer python.calls.put(c)
	c.attach(c.callID, call)
	c.handle = h.(*hook).handle
	c.message, _ = codec.AppendCall(nil, call)
	if c.Run(); c.err != nil {
		t.Fatal(c.err)
	}
	return c.reply.message()
}

func pairs(list []driver.Pair) map[string]string {
	out := map[string]string{}
	for _, p := range list {
		out[p.Name] = p.Value
	}
	return out
}

func utf8Map(m map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		out[text(k)] = text(v)
	}
	return out
}

func utf8List(list []string) []string {
	out := []string{}
	for _, s := range list {
		out = append(out, text(s))
	}
	return out
}

func TestSessionsPassThroughPythonWhole(t *testing.T) {
	hook := bind(t, driver.Post, "touch_session")
	same := func(s driver.Session) bool {
		s.Unknown = []byte("\xda\x05\x05later") // string field 91
		reply, err := hook.Dispatch(context.Background(), &driver.Call{Session: &s})
		if err != nil || reply.Session == nil {
			t.Log(err)
			return false
		}
		s.Alias = "touched by api"
		return reflect.DeepEqual(wiretest.Tidy(*reply.Session), wiretest.Tidy(s))
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 100, Values: wiretest.Sessions}); err != nil {
		t.Error(err)
	}
}

func TestAnUntouchedCallComesBackEmpty(t *testing.T) {
	reply := dispatch(t, bind(t, driver.Pre, "sleep", "seconds", "0"), &driver.Call{Session: &driver.Session{Alias: "a"}})
	if !reflect.DeepEqual(reply, &driver.Reply{Overrides: driver.Overrides{ResponseCode: -1}}) {
		t.Errorf("got %+v", reply)
	}
}

func TestResponseHookChangesStatusHeadersAndBody(t *testing.T) {
	headers := map[string][]string{
		"X-First": {"one", "two"}, "X-Gone": {"a"}, "Set-Cookie": {"a=1", "b=2"},
	}
	reply := dispatch(t, bind(t, driver.Response, "respond"), &driver.Call{
		Response: &driver.UpstreamResponse{StatusCode: 200, Headers: headers, Body: []byte("hello")},
	})
	want := &driver.ResponseReply{
		StatusCode: 201, Body: []byte("hello!"), BodyReplaced: true,
		Headers: map[string][]string{
			"X-First": {"changed", "two"}, "X-New": {"new"}, "Set-Cookie": {"a=1", "b=2"},
		},
	}
	if !reflect.DeepEqual(reply.Response, want) {
		t.Errorf("got %+v, want %+v", reply.Response, want)
	}
}

func TestErrorsNameTheHookAndTheDetailHasTheTraceback(t *testing.T) {
	for name, part := range map[string]string{
		"fails": "ValueError: on purpose", "exits": "SystemExit: 3", "recurses": "RecursionError",
		"bad_header": "control character",
	} {
		_, err := bind(t, driver.Pre, name).Dispatch(context.Background(), &driver.Call{})
		if !errors.Is(err, driver.ErrHookFailed) {
			t.Fatalf("%s: %v", name, err)
		}
		if s := err.Error(); !strings.Contains(s, name) || !strings.Contains(s, part) || strings.Contains(s, "\n") {
			t.Errorf("%s: %q", name, s)
		}
		var failure *driver.Error
		if errors.As(err, &failure) && name == "fails" && !strings.Contains(failure.Detail(), "Traceback") {
			t.Errorf("no traceback in %q", failure.Detail())
		}
	}
	dispatch(t, bind(t, driver.Pre, "add_one_header"), &driver.Call{}) // and Python lives
}

func TestAnUnknownHookNamesTheNearest(t *testing.T) {
	_, err := python.Bind(handles.Add(1), driver.Binding{Source: driver.DirectoryKey, Type: driver.Pre, Name: "ad_one_header", Spec: map[string]string{"APIID": "7"}})
	if !errors.Is(err, driver.ErrUnknown) || !strings.Contains(err.Error(), "'add_one_header'") || !strings.Contains(err.Error(), "'7'") {
		t.Error(err)
	}
}

func TestEventsReachTheirHandler(t *testing.T) {
	event := `{"message": {"Type": "AuthFailure", "Meta": {}}, "handler_name": "remember", "spec": {"APIID": "9"}}`
	if err := python.DispatchEvent(context.Background(), []byte(event)); err != nil {
		t.Fatal(err)
	}
	want := driver.Record{Level: "warning", APIID: "9", Hook: "remember", Message: "event AuthFailure of 9"}
	host.mu.Lock()
	defer host.mu.Unlock()
	if got := host.logs[len(host.logs)-1]; got != want {
		t.Errorf("got %+v", got)
	}
}

func TestStoreValuesComeBackAndFailuresRaise(t *testing.T) {
	if reply := dispatch(t, bind(t, driver.Pre, "store"), &driver.Call{}); pairs(reply.SetHeaders)["X-Stored"] != "value" {
		t.Errorf("got %+v", reply)
	}
	const want = "([1, 4611686018427387905, 1], [1, -1, -2], [True, True, False, False])"
	if reply := dispatch(t, bind(t, driver.Pre, "counts"), &driver.Call{}); pairs(reply.SetHeaders)["X-Counts"] != want {
		t.Errorf("got %+v", reply)
	}
	for _, service := range storeServices {
		host.with(t, errors.New("redis is down"), 0)
		_, err := bind(t, driver.Pre, "service", "service", service, "key", "k").Dispatch(context.Background(), &driver.Call{})
		if err == nil || !strings.Contains(err.Error(), "StoreError") || !strings.Contains(err.Error(), "'coprocess-data:k': redis is down") {
			t.Error(service, err)
		}
	}
}

// storeServices are the calls of TykGateway that reach the store.
var storeServices = []string{"get_data", "store_data", "delete_data", "increment_data", "exists", "ttl"}
