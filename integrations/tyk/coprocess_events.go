// Package gateway: this file takes the place of Tyk's coprocess event handler in
// Tyk's own tree (see docs/tyk.md), as the driver's files do. It does the same, but a
// definition without the function's name is an error of that definition; in Tyk it is
// a panic.
package gateway

import (
	"encoding/json"
	"errors"

	"github.com/TykTechnologies/tyk/config"
)

// EH_CoProcessHandler is what API definitions call this handler.
const EH_CoProcessHandler = "cp_dynamic_handler"

// CoProcessEventHandler hands an event to a function of a driver.
type CoProcessEventHandler struct {
	Spec     *APISpec
	function string
	spec     json.RawMessage // what the function gets as spec
}

// Init takes handler_meta, whose name is the function's.
func (h *CoProcessEventHandler) Init(meta interface{}) (err error) {
	fields, _ := meta.(map[string]interface{})
	function, ok := fields["name"].(string)
	if !ok {
		return errors.New("cp_dynamic_handler: handler_meta.name must be the name of a function")
	}
	h.function = function
	h.spec, err = json.Marshal(JSVMContextGlobal{APIID: h.Spec.APIID, OrgID: h.Spec.OrgID})
	return err
}

// HandleEvent calls the function; Tyk calls this on a goroutine of the event's own.
func (h *CoProcessEventHandler) HandleEvent(message config.EventMessage) {
	dispatcher := loadedDrivers[h.Spec.CustomMiddleware.Driver]
	if dispatcher == nil {
		return
	}
	event, err := json.Marshal(map[string]interface{}{
		"message": message, "handler_name": h.function, "spec": h.spec,
	})
	if err != nil {
		log.WithError(err).Errorf("event %s of API %s does not encode", message.Type, h.Spec.APIID)
		return
	}
	dispatcher.DispatchEvent(event)
}
