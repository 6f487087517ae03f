package driver

// Keys of the two sources that are folders of the gateway's own.
const (
	// DirectoryKey is that of <middleware_path>/python: what spec["bundle_hash"]
	// holds for an API without a bundle, the MD5 of the empty name.
	DirectoryKey = "d41d8cd98f00b204e9800998ecf8427e"
	// EventsKey is that of the event_handlers folder.
	EventsKey = "event_handlers"
)

// HookName names a hook of a source.
type HookName struct {
	Type HookType
	Name string
}

// Source is a folder of plugin code.
type Source struct {
	// Key is the bundle's hash, DirectoryKey or EventsKey.
	Key string
	// Path is the folder.
	Path string
	// Entry is the one module to import; empty for all in the folder.
	Entry string
	// Keep lists the hooks that are configured: code that lost one of them does
	// not replace code that has it.
	Keep []HookName
}

// Loaded tells what a source holds after Load.
type Loaded struct {
	Changed  bool              `json:"changed"`  // false when its files were as before
	Hooks    []string          `json:"hooks"`    // "Pre MyPreMiddleware", sorted
	Events   []string          `json:"events"`   // names of event handlers, sorted
	Warnings []string          `json:"warnings"` // such as a hook that is defined twice
	Failures map[string]string `json:"failures"` // traceback of each module that did not load
}

// Binding names one hook of one API, and what never changes from call to call.
type Binding struct {
	Source string // Key of the Source
	Type   HookType
	Name   string
	// Spec is what the hook gets as spec: OrgID, APIID, bundle_hash, config_data.
	Spec map[string]string
	// RawBodyOnly leaves the text form of bodies empty.
	RawBodyOnly bool
}
