// Package apidef stands for Tyk's.
package apidef

type (
	MiddlewareDriver string
	TykEvent         string
)

const PythonDriver MiddlewareDriver = "python"

type MiddlewareSection struct{ Driver MiddlewareDriver }

type APIDefinition struct {
	APIID, OrgID     string
	CustomMiddleware MiddlewareSection
}

type BundleManifest struct{ FileList []string }
