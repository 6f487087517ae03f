package driver

// Keys of the two sources that are not bundles.
const (
	// DirectoryKey is the key of <middleware_path>/python. It is the MD5 of the empty
	// string, the value of spec["bundle_hash"] for an API without a bundle.
	DirectoryKey = "d41d8cd98f00b204e9800998ecf8427e"
	// EventsKey is the key of the event_handlers folder.
	EventsKey = "event_handlers"
)

// HookName identifies a hook of a source.
type HookName struct {
	Type HookType
	Name string
}

// Source is a folder of plugin code.
type Source struct {
	// Key is the MD5 of the bundle's name, DirectoryKey or EventsKey.
	Key string
	// Path is the folder.
	Path string
	// Entry is the one module to import; empty for all in the folder.
	Entry string
	// Keep lists the configured hooks: a new version that lacks one of them does not
	// replace a version that has it.
	Keep []HookName
}

// Loaded describes a source after Load.
type Loaded struct {
	Changed  bool              `json:"changed"`  // false if no file has changed
	Hooks    []string          `json:"hooks"`    // "Pre MyPreMiddleware", sorted
	Events   []string          `json:"events"`   // names of event handlers, sorted
	Warnings []string          `json:"warnings"` // such as a hook that is defined twice
	Failures map[string]string `json:"failures"` // traceback of each module that did not load
}

// Binding identifies one hook of one API, with the data that is the same for every call.
type Binding struct {
	Source string // Key of the Source
	Type   HookType
	Name   string
	// Spec is passed to the hook: OrgID, APIID, bundle_hash, config_data.
	Spec map[string]string
	// RawBodyOnly leaves the text form of bodies empty (contract 3).
	RawBodyOnly bool
}
