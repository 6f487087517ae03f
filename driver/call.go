package driver

// HookType is the place of a hook in the life of a request.
type HookType int32

// The hook types, by their number on the wire.
const (
	Unknown HookType = iota
	Pre
	Post
	PostKeyAuth
	CustomKeyCheck
	Response
)

var hookTypeNames = [...]string{"Unknown", "Pre", "Post", "PostKeyAuth", "CustomKeyCheck", "Response"}

// String returns the name that plugin code and the log use.
func (t HookType) String() string {
	if t < 0 || int(t) >= len(hookTypeNames) {
		return hookTypeNames[Unknown]
	}
	return hookTypeNames[t]
}

// Call is what one hook is given. The driver reads it during Dispatch only and
// changes nothing in it.
type Call struct {
	Request Request
	// Session is the key's state, nil where the contract gives none.
	Session *Session
	// Response is the upstream's answer, for Response hooks.
	Response *UpstreamResponse
}

// Request is the HTTP request as a hook sees it.
type Request struct {
	Method     string
	URL        string // path and query, with what earlier hooks changed
	RequestURI string // as it came
	Scheme     string // "http" or "https"
	Host       string // given to the hook as header Host
	Headers    Values // may be nil
	Params     Values
	// Body travels beside the message and costs nothing until the hook looks at it.
	Body []byte
	// ReadBody gives the body where it has not been read yet (Body is nil then): it
	// is called when the hook first looks, if ever. Its error fails the hook, and
	// errors.Is finds it in that of Dispatch.
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

// Reply is what a hook asks for. Zero values mean "no change".
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

	// Overrides cuts the request short when its ResponseCode is above 0.
	Overrides Overrides

	// Session is what the hook made of the session; nil when it is as it was.
	// Its Metadata holds "token" after a CustomKeyCheck that accepted.
	Session *Session

	// Response is set after a Response hook.
	Response *ResponseReply
}

// Overrides is an answer that the hook gives in the upstream's place.
type Overrides struct {
	ResponseCode  int // as the hook left it, -1 when it did not touch it
	ResponseError string
	ResponseBody  string
	OverrideError bool
	Headers       []Pair
}

// ResponseReply is the response as the hook left it.
type ResponseReply struct {
	StatusCode int
	// Headers are complete: first values and further ones already brought
	// together (contract 6); they replace the response's.
	Headers map[string][]string
	// Body replaces the response's when BodyReplaced.
	Body         []byte
	BodyReplaced bool
}
