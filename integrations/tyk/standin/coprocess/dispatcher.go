// Package coprocess stands for Tyk's; its messages are made from tyk_cffi/proto by protoc-gen-go.
package coprocess

import (
	"context"

	"github.com/TykTechnologies/tyk/apidef"
)

// Dispatcher is what Tyk asks of a driver.
type Dispatcher interface {
	Dispatch(*Object) (*Object, error)
	DispatchWithContext(context.Context, *Object) (*Object, error)
	DispatchEvent([]byte)
	DispatchObject(*Object) (*Object, error)
	LoadModules()
	HandleMiddlewareCache(*apidef.BundleManifest, string)
	Reload()
}
