// Package gateway: this file replaces Tyk's coprocess event handler in Tyk's source tree
// (see docs/tyk.md). It does the same, except that a definition without the function's name
// is an error of that definition; in Tyk it is a panic.
package gateway

import (
	"encoding/json"
	"errors"

	"github.com/TykTechnologies/tyk/config"
)

// EH_CoProcessHandler is the name of this handler in API definitions.
const EH_CoProcessHandler = "cp_dynamic_handler"

// CoProcessEventHandler passes events to a function of a driver.
type CoProcessEventHandler struct {
	Spec     *APISpec
	function string
	spec     json.RawMessage // passed to the function as spec
}

// Init reads the name of the function from handler_meta.
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

// HandleEvent calls the function. Tyk calls HandleEvent on a new goroutine.
func (h *CoProcessEventHandler) HandleEvent(message config.EventMessage) {
	dispatcher := loadedDrivers[h.Spec.CustomMiddleware.Driver]
	if dispatcher == nil {
		return
	}
	event, err := json.Marshal(map[string]interface{}{
		"message": message, "handler_name": h.function, "spec": h.spec,
	})
	if err != nil {
		log.WithError(err).Errorf("event %s of API %s not encoded", message.Type, h.Spec.APIID)
		return
	}
	dispatcher.DispatchEvent(event)
}
