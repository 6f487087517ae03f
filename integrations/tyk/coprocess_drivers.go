// Package gateway: this file joins Tyk's own tree (see docs/tyk.md). Tyk does not tell
// drivers when it starts and stops; the build inserts one call of each function here
// into its server.go.
package gateway

import "context"

// lifecycleDriver is implemented by drivers that start and stop with the gateway.
type lifecycleDriver interface {
	gatewayStarts(*Gateway)
	gatewayStops(context.Context)
}

// startDrivers is called when the settings are known, before the first API is loaded.
func startDrivers(gw *Gateway) {
	for _, d := range loadedDrivers {
		if d, ok := d.(lifecycleDriver); ok {
			d.gatewayStarts(gw)
		}
	}
}

// stopDrivers is called when the listeners are closed and no request is left, or
// when ctx, Tyk's limit for a graceful shutdown, has ended.
func stopDrivers(ctx context.Context) {
	for _, d := range loadedDrivers {
		if d, ok := d.(lifecycleDriver); ok {
			d.gatewayStops(ctx)
		}
	}
}
