package driver

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
		b = r.Headers.appendFirst(b, miniRequestObjectHeaders)
	}
	if r.Host != "" { // the last entry of a name counts
		b = appendEntry(b, miniRequestObjectHeaders, "Host", r.Host)
	}
	b = appendString(b, miniRequestObjectURL, r.URL)
	if r.Params != nil {
		b = r.Params.appendFirst(b, miniRequestObjectParams)
	}
	b, overrides := openMessage(b, miniRequestObjectReturnOverrides)
	b = appendInt(b, returnOverridesResponseCode, codeUnset)
	b = closeMessage(b, overrides)
	b = appendString(b, miniRequestObjectMethod, r.Method)
	b = appendString(b, miniRequestObjectRequestURI, r.RequestURI)
	b = appendString(b, miniRequestObjectScheme, r.Scheme)
	return closeMessage(b, start)
}

func appendResponse(b []byte, r *UpstreamResponse) []byte {
	b, start := openMessage(b, objectResponse)
	b = appendInt(b, responseObjectStatusCode, int64(r.StatusCode))
	for name, values := range r.Headers {
		if len(values) > 0 {
			b = appendEntry(b, responseObjectHeaders, name, values[0])
		}
		var header int
		b, header = openMessage(b, responseObjectMultivalueHeaders)
		b = appendItem(b, headerKey, name)
		for _, value := range values {
			b = appendItem(b, headerValues, value)
		}
		b = closeMessage(b, header)
	}
	return closeMessage(b, start)
}
