package driver

// String returns the name used by plugin code and the log.
func (t HookType) String() string {
	if t < 0 || int(t) >= len(hookTypeNames) {
		return hookTypeNames[Unknown]
	}
	return hookTypeNames[t]
}

// Call is the input of one hook call. The driver reads it only during Dispatch and
// does not modify it.
type Call struct {
	Request Request
	// Session is the key's session, nil for hooks that get none (contract 3).
	Session *Session
	// Response is the upstream's response, for Response hooks.
	Response *UpstreamResponse
}

// Request is the HTTP request as a hook sees it.
type Request struct {
	Method     string
	URL        string // path and query, with the changes of earlier hooks
	RequestURI string // path and query as received
	Scheme     string // "http" or "https"
	Host       string // passed to the hook as header Host
	Headers    Values // may be nil
	Params     Values
	// Body is not part of the encoded message; it costs nothing until the hook reads it.
	Body []byte
	// ReadBody returns the body if it has not been read yet (Body is nil then). It is
	// called when the hook first accesses the body, if ever. Its error fails the hook,
	// and the error of Dispatch wraps it.
	ReadBody func() ([]byte, error)
}

// UpstreamResponse is the HTTP response as a Response hook sees it.
type UpstreamResponse struct {
	StatusCode int
	Headers    map[string][]string
	Body       []byte
	ReadBody   func() ([]byte, error) // as in Request
}

// Pair is a name and its value.
type Pair struct{ Name, Value string }

// Reply holds the changes that a hook makes. Zero values mean "no change".
type Reply struct {
	DeleteHeaders []string
	SetHeaders    []Pair
	DeleteParams  []string
	AddParams     []Pair
	URL           string // empty when unchanged
	Method        string // empty when unchanged

	// Body replaces the request's body when BodyReplaced.
	Body         []byte
	BodyReplaced bool

	// Overrides ends the request with a response when its ResponseCode is above 0.
	Overrides Overrides

	// Session is the session as the hook left it; nil if it is unchanged. Its
	// Metadata has "token" after a CustomKeyCheck that accepted the request.
	Session *Session

	// Response is set after a Response hook.
	Response *ResponseReply
}

// Overrides is a response that replaces the upstream's.
type Overrides struct {
	ResponseCode  int // -1 if the hook did not set it
	ResponseError string
	ResponseBody  string
	OverrideError bool
	Headers       []Pair
}

// ResponseReply is the response as the hook left it.
type ResponseReply struct {
	StatusCode int
	// Headers are all headers of the response: the first values and the further ones,
	// already merged (contract 6).
	Headers map[string][]string
	// Body replaces the response's when BodyReplaced.
	Body         []byte
	BodyReplaced bool
}
