package host

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// recovered logs a panic in a goroutine, which would otherwise end the process. It must be
// deferred.
func recovered(log *slog.Logger, what string) {
	if fault := recover(); fault != nil {
		log.Error("panic in "+what, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
	}
}
