//go:build standin

package gateway

import (
	"github.com/sirupsen/logrus"

	"github.com/TykTechnologies/tyk/apidef"
	"github.com/TykTechnologies/tyk/coprocess"
)

// What Tyk's package gateway has beside our files.

var (
	log                    = logrus.New()
	loadedDrivers          = map[apidef.MiddlewareDriver]coprocess.Dispatcher{}
	GatewayFireSystemEvent func(name apidef.TykEvent, meta interface{})
)

const EH_CoProcessHandler apidef.TykEventHandlerName = "cp_dynamic_handler"

// EventMetaDefault is Tyk's.
type EventMetaDefault struct {
	Message            string
	OriginatingRequest string
}
