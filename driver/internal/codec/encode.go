package codec

import "github.com/tyk-cffi/tyk-cffi/driver"

// codeUnset is the response code of overrides that no hook has set.
const codeUnset = -1

// AppendCall appends c as a coprocess Object without spec and bodies. session is the
// range of the encoded session in out, for comparison with the reply; it is empty if
// there is no session.
func AppendCall(b []byte, c *driver.Call) (out []byte, session [2]int) {
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

func appendRequest(b []byte, r *driver.Request) []byte {
	b, start := openMessage(b, objectRequest)
	b = appendFirst(b, r.Headers, miniRequestObjectHeaders)
	if r.Host != "" { // the last entry of a name counts
		b = appendEntry(b, miniRequestObjectHeaders, "Host", r.Host)
	}
	b = appendString(b, miniRequestObjectURL, r.URL)
	b = appendFirst(b, r.Params, miniRequestObjectParams)
	b, overrides := openMessage(b, miniRequestObjectReturnOverrides)
	b = appendInt(b, returnOverridesResponseCode, codeUnset)
	b = closeMessage(b, overrides)
	b = appendString(b, miniRequestObjectMethod, r.Method)
	b = appendString(b, miniRequestObjectRequestURI, r.RequestURI)
	b = appendString(b, miniRequestObjectScheme, r.Scheme)
	return closeMessage(b, start)
}

func appendResponse(b []byte, r *driver.UpstreamResponse) []byte {
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

// appendFirst appends headers or parameters as entries of a map<string, string> field,
// without the closure that Each needs for those that hosts have.
func appendFirst(b []byte, values driver.Values, field int) []byte {
	switch values := values.(type) {
	case driver.Multi:
		for name, list := range values {
			if len(list) > 0 {
				b = appendEntry(b, field, name, list[0])
			}
		}
	case driver.Single:
		for name, value := range values {
			b = appendEntry(b, field, name, value)
		}
	case nil:
	default:
		b = appendEach(b, values, field)
	}
	return b
}

// appendEach is a function of its own because its closure moves b to the heap, which the
// other cases of appendFirst need not pay for.
func appendEach(b []byte, values driver.Values, field int) []byte {
	values.Each(func(name, value string) { b = appendEntry(b, field, name, value) })
	return b
}
