// Package gateway: this file replaces Tyk's coprocess event handler in Tyk's source tree
// (see docs/tyk.md). It does the same, except that a definition without the function's name
// is an error of that definition; in Tyk it is a panic.
package gateway

import (
	"github.com/TykTechnologies/tyk/config"

	"github.com/tyk-cffi/tyk-cffi/driver/registry"
)

// EH_CoProcessHandler is the name of this handler in API definitions.
const EH_CoProcessHandler = registry.EventHandler

// CoProcessEventHandler passes events to a function of a driver.
type CoProcessEventHandler struct {
	Spec     *APISpec
	function string
}

// Init reads the name of the function from handler_meta.
func (h *CoProcessEventHandler) Init(meta interface{}) (err error) {
	h.function, err = registry.Function(meta)
	return err
}

// HandleEvent calls the function. Tyk calls HandleEvent on a new goroutine.
func (h *CoProcessEventHandler) HandleEvent(message config.EventMessage) {
	dispatcher := loadedDrivers[h.Spec.CustomMiddleware.Driver]
	if dispatcher == nil {
		return
	}
	event, err := registry.Event(message, h.function, h.Spec.APIID, h.Spec.OrgID)
	if err != nil {
		log.WithError(err).Errorf("event %s of API %s not encoded", message.Type, h.Spec.APIID)
		return
	}
	dispatcher.DispatchEvent(event)
}
