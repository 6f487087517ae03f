package registry

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
)

// EventHandler is the name of the handler that calls Python functions.
const EventHandler = "cp_dynamic_handler"

// Function returns the function that the handler_meta of an event handler names.
func Function(meta any) (string, error) {
	fields, _ := meta.(map[string]any)
	name, ok := fields["name"].(string)
	if !ok {
		return "", fmt.Errorf("%s: handler_meta.name must be the name of a function", EventHandler)
	}
	return name, nil
}

// Event encodes an event of an API for a function, as driver.Backend.DispatchEvent takes
// it. message is the event's JSON, or encodes to it: Type, Meta, TimeStamp (contract 7).
func Event(message any, function, apiID, orgID string) ([]byte, error) {
	return json.Marshal(struct {
		Message any    `json:"message"`
		Handler string `json:"handler_name"`
		Spec    any    `json:"spec"`
	}{message, function, struct{ APIID, OrgID string }{apiID, orgID}})
}

// APIEvents are the event handlers of an API.
type APIEvents struct {
	OrgID     string
	Functions map[string][]string // by event
}

// Events are the event handlers of all APIs.
type Events struct {
	byAPI atomic.Pointer[map[string]APIEvents]
}

// Configure replaces all handlers. The empty id has those of unknown APIs.
func (e *Events) Configure(byAPI map[string]APIEvents) { e.byAPI.Store(&byAPI) }

// Of returns the functions that handle an event of an API.
func (e *Events) Of(apiID, event string) (functions []string, orgID string) {
	all := e.byAPI.Load()
	if all == nil {
		return nil, ""
	}
	api, known := (*all)[apiID]
	if !known {
		api = (*all)[""]
	}
	return api.Functions[event], api.OrgID
}
