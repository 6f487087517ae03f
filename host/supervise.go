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

// caught is like recovered, and returns the panic as an error.
func caught(log *slog.Logger, what string, err *error) {
	if fault := recover(); fault != nil {
		log.Error("panic in "+what, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
		*err = fmt.Errorf("panic in %s: %v", what, fault)
	}
}
