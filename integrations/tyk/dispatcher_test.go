//go:build cgo && coprocess && python && standin

package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

func TestTheDriverIsThereBeforeAnyBundleIsLoaded(t *testing.T) {
	if loadedDrivers[apidef.PythonDriver] != coprocess.Dispatcher(underway) {
		t.Error("an API without a bundle would find no driver")
	}
}

func TestHooksOfTheDirectoryAreServed(t *testing.T) {
	sent := object(coprocess.HookType_Pre, "add_header")
	before := proto.Clone(sent).(*coprocess.Object)
	out := dispatch(t, sent).Request
	if out.SetHeaders["X-Added"] != "VERSION" || !slices.Equal(out.DeleteHeaders, []string{"X-Gone"}) || out.Url != "/edited" {
		t.Errorf("got %v", out)
	}
	if out.ReturnOverrides.ResponseCode != -1 || string(out.RawBody) != "body" || out.Method != "GET" {
		t.Errorf("what the hook left alone is %v", out)
	}
	if !proto.Equal(sent, before) {
		t.Errorf("the object that came in is now %v", sent)
	}
}

func TestAResponseComesBackWithoutSharingWhatCameIn(t *testing.T) {
	sent := object(coprocess.HookType_Response, "respond")
	sent.Response = &coprocess.ResponseObject{
		StatusCode: 200, RawBody: []byte("hello"),
		Headers: map[string]string{"X-Twice": "1", "X-Gone": "a"},
		MultivalueHeaders: []*coprocess.Header{
			{Key: "X-Twice", Values: []string{"1", "2"}}, {Key: "X-Gone", Values: []string{"a"}},
		},
	}
	before := proto.Clone(sent).(*coprocess.Object)
	out := dispatch(t, sent).Response
	want := map[string]string{"X-New": "new", "X-Twice": "changed"}
	for name, value := range want {
		if out.Headers[name] != value {
			t.Errorf("%s is %q", name, out.Headers[name])
		}
	}
	if len(out.Headers) != len(want) || string(out.RawBody) != "hello!" {
		t.Errorf("got %v", out)
	}
	for _, header := range out.MultivalueHeaders {
		if header.Key == "X-Twice" && !slices.Equal(header.Values, []string{"changed", "2"}) {
			t.Errorf("further values are %v", header.Values)
		}
	}
	if !proto.Equal(sent, before) {
		t.Errorf("the object that came in is now %v", sent)
	}
}

func TestASessionComesThroughWhole(t *testing.T) {
	sent := object(coprocess.HookType_CustomKeyCheck, "check")
	sent.Session = &coprocess.SessionState{
		Alias: "a", Tags: []string{"x"}, QuotaMax: 9, Metadata: map[string]string{"was": "there"},
		AccessRights: map[string]*coprocess.AccessDefinition{"7": {ApiId: "7"}},
	}
	unknown := protowire.AppendVarint(protowire.AppendTag(nil, 99, protowire.VarintType), 5)
	sent.Session.ProtoReflect().SetUnknown(unknown)
	out := dispatch(t, sent)
	want := proto.Clone(sent.Session).(*coprocess.SessionState)
	want.Rate = 5
	want.Metadata["token"] = "7"
	if !proto.Equal(out.Session, want) {
		t.Errorf("got  %v\nwant %v", out.Session, want)
	}
	if out.Metadata["token"] != "7" || out.Metadata["was"] != "there" {
		t.Errorf("metadata is %v", out.Metadata)
	}
}

func TestABundleIsLoadedAndKeptApart(t *testing.T) {
	path := filepath.Join(folder, "bundle")
	underway.HandleMiddlewareCache(&apidef.BundleManifest{FileList: []string{"middleware.py"}}, path)
	sent := object(coprocess.HookType_Pre, "add_header")
	sent.Spec["bundle_hash"] = "bundle"
	if got := dispatch(t, sent).Request.SetHeaders["X-Added"]; got != "bundle" {
		t.Errorf("the bundle's hook says %q", got)
	}
}

func TestAFailingHookIsAnErrorWithItsTracebackInTheLog(t *testing.T) {
	if _, err := underway.Dispatch(object(coprocess.HookType_Pre, "fails")); err == nil || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	told.wait(t, "Traceback (most recent call last)")
	if _, err := underway.Dispatch(object(coprocess.HookType_Pre, "add_headr")); err == nil || !strings.Contains(err.Error(), "'add_header'") {
		t.Error(err)
	}
}

func TestACallWhoseDeadlineHasPassedIsNotMade(t *testing.T) {
	over, cancel := context.WithTimeout(context.Background(), -time.Second)
	defer cancel()
	_, err := underway.DispatchWithContext(over, object(coprocess.HookType_Pre, "add_header"))
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestEventsReachTheirHandlers(t *testing.T) {
	event, _ := json.Marshal(map[string]any{
		"message": map[string]any{"Type": "AuthFailure", "Meta": map[string]string{"Message": "m"}}, "handler_name": "heard",
		"spec": map[string]string{"APIID": "8", "OrgID": "o"},
	})
	underway.DispatchEvent(event)
	told.wait(t, "HEARD AuthFailure m 8")
}

func TestATriggeredEventIsForTheHandlersOfItsAPIAndTheGateway(t *testing.T) {
	everywhere := make(chan apidef.TykEvent, 1)
	GatewayFireSystemEvent = func(name apidef.TykEvent, _ any) { everywhere <- name }
	defer func() { GatewayFireSystemEvent = nil }()
	api := &APISpec{APIDefinition: &apidef.APIDefinition{
		APIID: "9", OrgID: "o", CustomMiddleware: apidef.MiddlewareSection{Driver: apidef.PythonDriver},
	}}
	handler := &CoProcessEventHandler{Spec: api}
	if err := handler.Init(map[string]any{}); err == nil {
		t.Error("a handler without a name is no error")
	}
	if err := handler.Init(map[string]any{"name": "heard"}); err != nil {
		t.Fatal(err)
	}
	api.EventPaths = map[apidef.TykEvent][]config.TykEventHandler{"Custom": {handler}}
	loadAPIs()
	tyk.apisByID["9"] = api
	sent := object(coprocess.HookType_Pre, "fires")
	sent.Spec["APIID"] = "9"
	dispatch(t, sent)
	told.wait(t, "HEARD Custom payload 9")
	select {
	case name := <-everywhere:
		if name != "Custom" {
			t.Error(name)
		}
	case <-time.After(10 * time.Second):
		t.Error("the gateway-wide handlers were not told")
	}
}

func TestEventsBeyondTheBudgetAreDroppedAndTheLogSaysSo(t *testing.T) {
	size := int(driver.DefaultSettings.MaxEventsBytes / 8)
	gate := filepath.Join(folder, "event-gate")
	if err := os.WriteFile(gate, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	event := func(number int) []byte {
		data, _ := json.Marshal(map[string]any{
			"message": map[string]any{"Type": "AuthFailure", "Meta": map[string]any{
				"Gate": gate, "Number": number, "OriginatingRequest": strings.Repeat("x", size-500),
			}},
			"handler_name": "waits", "spec": map[string]string{"APIID": "8", "OrgID": "o"},
		})
		return data
	}
	var handlers sync.WaitGroup
	for number := range 8 {
		handlers.Add(1)
		go func() {
			defer handlers.Done()
			underway.DispatchEvent(event(number))
		}()
		told.wait(t, fmt.Sprintf("HANDLING %d", number))
	}
	underway.DispatchEvent(event(8)) // it would wait for the gate
	told.wait(t, "have reached coprocess_options.max_events_bytes")
	if err := os.Remove(gate); err != nil {
		t.Fatal(err)
	}
	handlers.Wait()
	told.wait(t, "events are accepted again")
	underway.DispatchEvent(event(9))
	told.wait(t, "HANDLING 9")
	if used := underway.events.used.Load(); used != 0 {
		t.Errorf("%d bytes of the budget stay used", used)
	}
}
