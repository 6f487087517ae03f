//go:build coprocess && python

package inproc

import (
	"encoding/json"
	"math/rand"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// odd makes texts of few different bytes, UTF-8 and not.
func odd(r *rand.Rand) string {
	pieces := []string{"a", "b", "\xe9", "\xe8", "é", "\uFFFD", "\xf0\x9f", "="}
	var out strings.Builder
	for range r.Intn(4) {
		out.WriteString(pieces[r.Intn(len(pieces))])
	}
	return out.String()
}

var oddNames = []string{"X-A", "X-B", "X-C"}

func oddHeaders(r *rand.Rand) map[string][]string {
	headers := map[string][]string{}
	for _, name := range oddNames {
		for range r.Intn(3) {
			headers[name] = append(headers[name], odd(r))
		}
	}
	return headers
}

func TestUnchangedValuesKeepTheirBytes(t *testing.T) {
	hook := bind(t, driver.Pre, "give_back")
	same := func(seed int64) bool {
		r := rand.New(rand.NewSource(seed))
		headers, params := oddHeaders(r), map[string][]string{}
		for i := range r.Intn(3) {
			params[odd(r)+string(rune('a'+i))] = []string{odd(r)}
		}
		reply := dispatch(t, hook, &driver.Call{Request: driver.Request{
			Method: "GET", URL: "/a?" + odd(r), Headers: driver.Multi(headers), Params: driver.Multi(params),
		}})
		for name, value := range pairs(reply.SetHeaders) {
			if value != headers[name][0] {
				t.Logf("%s: %q became %q", name, headers[name][0], value)
				return false
			}
		}
		for name, value := range pairs(reply.AddParams) {
			if len(params[name]) == 0 || value != params[name][0] {
				t.Logf("parameter %q is %q, of %q", name, value, params)
				return false
			}
		}
		return reply.URL == "" && reply.Method == ""
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 300}); err != nil {
		t.Error(err)
	}
}

func TestAnEditedPathLeavesTheQuerysBytes(t *testing.T) {
	told, _ := json.Marshal(map[string]string{"url": "/b?q=\uFFFD"})
	reply := dispatch(t, bind(t, driver.Pre, "apply_changes"), &driver.Call{Request: driver.Request{Method: "GET", URL: "/a?q=\xe9", Body: told}})
	if reply.URL != "/b?q=\xe9" {
		t.Errorf("got %q", reply.URL)
	}
}

func TestADeletedParameterIsDeletedUnderEveryOriginalName(t *testing.T) {
	told, _ := json.Marshal(map[string]any{
		"delete_params": []string{"\uFFFD"}, "add_params": map[string]string{"x\uFFFD": "new"},
	})
	params := driver.Multi{"\xe9": {"1"}, "\xe8": {"2"}, "x\xe9": {"3"}, "x\xe8": {"4"}, "kept": {"5"}}
	reply := dispatch(t, bind(t, driver.Pre, "apply_changes"), &driver.Call{Request: driver.Request{Method: "GET", URL: "/", Params: params, Body: told}})
	slices.Sort(reply.DeleteParams)
	if want := []string{"x\xe9", "\xe8", "\xe9", "\uFFFD"}; !slices.Equal(reply.DeleteParams, want) {
		t.Errorf("deleted are %q, want %q", reply.DeleteParams, want)
	}
	if want := []driver.Pair{{Name: "x\xe8", Value: "new"}}; !slices.Equal(reply.AddParams, want) {
		t.Errorf("set are %q, want %q", reply.AddParams, want)
	}
}

// Any sequence of changes, in any spelling of the names, against a model of contract 6 in
// which names have no case.
func TestResponseHeadersFollowTheModelInAnySpelling(t *testing.T) {
	hook := bind(t, driver.Response, "apply_response_changes")
	same := func(seed int64) bool {
		r := rand.New(rand.NewSource(seed))
		sent := oddHeaders(r)
		model := map[string][]string{}
		for name, values := range sent {
			model[name] = slices.Clone(values)
		}
		set := map[string]bool{}
		var told [][3]string
		for range r.Intn(5) {
			name := oddNames[r.Intn(len(oddNames))]
			if set[name] {
				continue // which of two spellings was set last no map tells
			}
			set[name] = true
			spelled, value := name, text(odd(r)+"!")
			if r.Intn(2) == 0 {
				spelled = strings.ToLower(name)
			}
			switch r.Intn(3) {
			case 0:
				told = append(told, [3]string{"set", spelled, value})
				model[name] = append([]string{value}, model[name][min(1, len(model[name])):]...)
			case 1:
				told = append(told, [3]string{"delete", name, ""}, [3]string{"set", spelled, value})
				model[name] = append([]string{value}, model[name][min(1, len(model[name])):]...)
				if spelled != name {
					model[name] = []string{value}
				}
			case 2:
				told = append(told, [3]string{"delete", name, ""})
				delete(model, name)
			}
		}
		body, _ := json.Marshal(told)
		if told == nil {
			body = []byte("[]")
		}
		reply := dispatch(t, hook, &driver.Call{
			Request:  driver.Request{Method: "GET", URL: "/", Body: body},
			Response: &driver.UpstreamResponse{StatusCode: 200, Headers: sent},
		})
		got := map[string][]string{}
		for name, values := range reply.Response.Headers {
			key := http.CanonicalHeaderKey(name)
			if got[key] != nil {
				t.Logf("%s came twice: %q", name, reply.Response.Headers)
				return false
			}
			got[key] = values
		}
		if !reflect.DeepEqual(got, model) {
			t.Logf("sent %q, told %q: got %q, want %q", sent, told, got, model)
			return false
		}
		return true
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 500}); err != nil {
		t.Error(err)
	}
}

// What was set in headers is the first value here too.
func TestFurtherValuesMayBeAddedInAnySpelling(t *testing.T) {
	body, _ := json.Marshal([][3]string{{"add", "set-cookie", "c=3"}, {"set", "x-new", "1"}, {"add", "X-New", "2"}})
	reply := dispatch(t, bind(t, driver.Response, "apply_response_changes"), &driver.Call{
		Request:  driver.Request{Method: "GET", URL: "/", Body: body},
		Response: &driver.UpstreamResponse{StatusCode: 200, Headers: map[string][]string{"Set-Cookie": {"a=\xe9", "b=2"}}},
	})
	want := map[string][]string{"Set-Cookie": {"a=\xe9", "b=2", "c=3"}, "X-New": {"1"}}
	if !reflect.DeepEqual(reply.Response.Headers, want) {
		t.Errorf("got %q, want %q", reply.Response.Headers, want)
	}
}
