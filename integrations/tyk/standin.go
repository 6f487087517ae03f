//go:build standin

package gateway

import (
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/config"
	"github.com/TykTechnologies/tyk/coprocess"
)

// Declarations of Tyk's package gateway that our files use.

var (
	log                    = logrus.New()
	loadedDrivers          = map[apidef.MiddlewareDriver]coprocess.Dispatcher{}
	GatewayFireSystemEvent func(name apidef.TykEvent, meta interface{})
)

// Gateway holds the loaded APIs.
type Gateway struct {
	apisMu   sync.RWMutex
	apisByID map[string]*APISpec
	conf     config.Config
}

// GetConfig returns the settings.
func (gw *Gateway) GetConfig() config.Config { return gw.conf }

func (gw *Gateway) getApiSpec(id string) *APISpec {
	gw.apisMu.RLock()
	defer gw.apisMu.RUnlock()
	return gw.apisByID[id]
}

// APISpec is a loaded API.
type APISpec struct {
	*apidef.APIDefinition
	EventPaths map[apidef.TykEvent][]config.TykEventHandler
}

// FireEvent calls the API's handlers.
func (s *APISpec) FireEvent(name apidef.TykEvent, meta interface{}) {
	for _, handler := range s.EventPaths[name] {
		go handler.HandleEvent(config.EventMessage{Type: name, Meta: meta, TimeStamp: "now"})
	}
}

// JSVMContextGlobal identifies the API of an event handler.
type JSVMContextGlobal struct{ APIID, OrgID string }

// EventMetaDefault is Tyk's.
type EventMetaDefault struct {
	Message            string
	OriginatingRequest string
}
