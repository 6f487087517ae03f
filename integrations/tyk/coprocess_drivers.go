// Package gateway: this file is added to Tyk's source tree (see docs/tyk.md). Tyk does not
// notify drivers when it starts and stops; the build inserts one call of each function
// here into its server.go.
package gateway

import "context"

// lifecycleDriver is implemented by drivers that start and stop with the gateway.
type lifecycleDriver interface {
	gatewayStarts(*Gateway)
	gatewayStops(context.Context)
}

// startDrivers is called after the settings are read, before the first API is loaded.
func startDrivers(gw *Gateway) {
	for _, d := range loadedDrivers {
		if d, ok := d.(lifecycleDriver); ok {
			d.gatewayStarts(gw)
		}
	}
}

// stopDrivers is called after the listeners are closed and all requests have ended, or
// when ctx, Tyk's limit for a graceful shutdown, has ended.
func stopDrivers(ctx context.Context) {
	for _, d := range loadedDrivers {
		if d, ok := d.(lifecycleDriver); ok {
			d.gatewayStops(ctx)
		}
	}
}
