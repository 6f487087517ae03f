// Package apidef stands for Tyk's.
package apidef

type (
	MiddlewareDriver    string
	TykEvent            string
	TykEventHandlerName string
)

const PythonDriver MiddlewareDriver = "python"

type EventHandlerTriggerConfig struct {
	Handler     TykEventHandlerName
	HandlerMeta map[string]interface{}
}

type EventHandlerMetaConfig struct {
	Events map[TykEvent][]EventHandlerTriggerConfig
}

type APIDefinition struct{ EventHandlers EventHandlerMetaConfig }

type BundleManifest struct{ FileList []string }
