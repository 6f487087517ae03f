package driver

// Field numbers of Object and of the messages in it.
const (
	objectRequest  = 3
	objectSession  = 4
	objectResponse = 7

	requestHeaders       = 1
	requestSetHeaders    = 2
	requestDeleteHeaders = 3
	requestURL           = 5
	requestParams        = 6
	requestAddParams     = 7
	requestDeleteParams  = 9
	requestOverrides     = 10
	requestMethod        = 11
	requestRequestURI    = 12
	requestScheme        = 13

	overridesCode     = 1
	overridesError    = 2
	overridesHeaders  = 3
	overridesOverride = 4
	overridesBody     = 5

	responseStatus      = 1
	responseHeaders     = 4
	responseMultivalues = 5
	headerKey           = 1
	headerValues        = 2
)

// codeUnset is the response code of overrides that no hook has set.
const codeUnset = -1

// appendCall appends c as a coprocess Object without spec and bodies. session is the
// range of the encoded session in out, for comparison with the reply; it is empty if
// there is no session.
func appendCall(b []byte, c *Call) (out []byte, session [2]int) {
	b = appendRequest(b, &c.Request)
	if c.Session != nil {
		var start int
		b, start = openMessage(b, objectSession)
		b = appendSession(b, c.Session)
		size := len(b) - start
		b = closeMessage(b, start)
		session = [2]int{len(b) - size, len(b)}
	}
	if c.Response != nil {
		b = appendResponse(b, c.Response)
	}
	return b, session
}

func appendRequest(b []byte, r *Request) []byte {
	b, start := openMessage(b, objectRequest)
	if r.Headers != nil {
		b = r.Headers.appendFirst(b, requestHeaders)
	}
	if r.Host != "" { // the last entry of a name counts
		b = appendEntry(b, requestHeaders, "Host", r.Host)
	}
	b = appendString(b, requestURL, r.URL)
	if r.Params != nil {
		b = r.Params.appendFirst(b, requestParams)
	}
	b, overrides := openMessage(b, requestOverrides)
	b = appendInt(b, overridesCode, codeUnset)
	b = closeMessage(b, overrides)
	b = appendString(b, requestMethod, r.Method)
	b = appendString(b, requestRequestURI, r.RequestURI)
	b = appendString(b, requestScheme, r.Scheme)
	return closeMessage(b, start)
}

func appendResponse(b []byte, r *UpstreamResponse) []byte {
	b, start := openMessage(b, objectResponse)
	b = appendInt(b, responseStatus, int64(r.StatusCode))
	for name, values := range r.Headers {
		if len(values) > 0 {
			b = appendEntry(b, responseHeaders, name, values[0])
		}
		var header int
		b, header = openMessage(b, responseMultivalues)
		b = appendItem(b, headerKey, name)
		for _, value := range values {
			b = appendItem(b, headerValues, value)
		}
		b = closeMessage(b, header)
	}
	return closeMessage(b, start)
}
