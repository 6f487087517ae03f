package host

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// recovered keeps a fault of the gateway's own in a goroutine from ending the process.
// To be deferred.
func recovered(log *slog.Logger, what string) {
	if fault := recover(); fault != nil {
		log.Error("panic in "+what, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
	}
}
