// Package apidef stands for Tyk's.
package apidef

type (
	MiddlewareDriver string
	TykEvent         string
)

const PythonDriver MiddlewareDriver = "python"

type MiddlewareDefinition struct {
	Name                  string
	Disabled, RawBodyOnly bool
}

type MiddlewareSection struct {
	Pre, PostKeyAuth, Post, Response []MiddlewareDefinition
	AuthCheck                        MiddlewareDefinition
	Driver                           MiddlewareDriver
}

type APIDefinition struct {
	APIID, OrgID                   string
	CustomMiddleware               MiddlewareSection
	CustomMiddlewareBundle         string
	CustomMiddlewareBundleDisabled bool
}

type BundleManifest struct {
	FileList         []string
	CustomMiddleware MiddlewareSection
}
