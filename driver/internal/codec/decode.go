package codec

import (
	"maps"
	"slices"
	"strings"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// DecodeReply decodes the fields of an Object that a hook may change, and skips the
// others without allocating. Strings of the reply share memory with data. sent is the
// call that data replies to, session the encoded session of that call.
func DecodeReply(data string, sent *driver.Call, session string) (*driver.Reply, error) {
	reply := &driver.Reply{}
	reply.Overrides.ResponseCode = codeUnset
	if sent.Response != nil {
		reply.Response = &driver.ResponseReply{
			StatusCode: sent.Response.StatusCode,
			Headers:    maps.Clone(sent.Response.Headers),
		}
	}
	object := fields{rest: data}
	for object.next() {
		switch object.number {
		case objectRequest:
			object.fail(decodeRequest(reply, object.text, &sent.Request))
		case objectSession:
			// Python's encoder may order maps differently: then an unchanged session
			// is decoded too, which costs time but changes nothing.
			if object.text == session && sent.Session != nil {
				break
			}
			reply.Session = &driver.Session{}
			object.fail(decodeSession(reply.Session, object.text))
		case objectResponse:
			if sent.Response != nil {
				object.fail(decodeResponse(reply.Response, object.text, sent.Response.Headers))
			}
		}
	}
	return reply, object.err
}

func decodeRequest(r *driver.Reply, data string, sent *driver.Request) error {
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case miniRequestObjectSetHeaders:
			header := f.entry()
			restoreHeader(&header, sent.Headers)
			r.SetHeaders = append(r.SetHeaders, header)
		case miniRequestObjectDeleteHeaders:
			r.DeleteHeaders = append(r.DeleteHeaders, f.text)
		case miniRequestObjectURL:
			if !equalAsUTF8(f.text, sent.URL) {
				r.URL = restoreURL(f.text, sent.URL)
			}
		case miniRequestObjectAddParams:
			r.AddParams = append(r.AddParams, f.entry())
		case miniRequestObjectDeleteParams:
			r.DeleteParams = append(r.DeleteParams, f.text)
		case miniRequestObjectReturnOverrides:
			f.fail(decodeOverrides(&r.Overrides, f.text))
		case miniRequestObjectMethod:
			if !equalAsUTF8(f.text, sent.Method) {
				r.Method = f.text
			}
		}
	}
	restoreParams(r, sent.Params)
	return f.err
}

func decodeOverrides(o *driver.Overrides, data string) error {
	o.ResponseCode = 0 // absent from the message means zero
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case returnOverridesResponseCode:
			o.ResponseCode = int(int32(f.value))
		case returnOverridesResponseError:
			o.ResponseError = f.text
		case returnOverridesHeaders:
			o.Headers = append(o.Headers, f.entry())
		case returnOverridesOverrideError:
			o.OverrideError = f.value != 0
		case returnOverridesResponseBody:
			o.ResponseBody = f.text
		}
	}
	return f.err
}

// decodeResponse decodes the response and merges both forms of its headers: a value that the
// hook changed in headers replaces the first value in multivalue_headers, a name that
// it removed from headers is removed, and further values stay (contract 6).
func decodeResponse(r *driver.ResponseReply, data string, sent map[string][]string) error {
	first := map[string]string{}
	r.StatusCode, r.Headers = 0, map[string][]string{}
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case responseObjectStatusCode:
			r.StatusCode = int(int32(f.value))
		case responseObjectHeaders:
			p := f.entry()
			first[p.Name] = p.Value
		case responseObjectMultivalueHeaders:
			f.fail(decodeHeader(r, f.text))
		}
	}
	for name, values := range r.Headers {
		restoreValues(values, sent[name])
	}
	var others []string // names that were not sent, or were sent in another spelling
	for name, value := range first {
		was := sent[name]
		if len(was) == 0 {
			others = append(others, name)
		} else if !equalAsUTF8(value, was[0]) {
			setFirst(r, name, value)
		}
	}
	for name, was := range sent {
		if _, kept := first[name]; !kept && len(was) > 0 {
			delete(r.Headers, name)
		}
	}
	for name := range r.Headers {
		if _, came := sent[name]; !came {
			others = append(others, name)
		}
	}
	mergeAdded(r, others, first, sent)
	return f.err
}

// setFirst sets a header's first value.
func setFirst(r *driver.ResponseReply, name, value string) {
	if values := r.Headers[name]; len(values) > 0 {
		values[0] = value
		return
	}
	r.Headers[name] = []string{value}
}

// mergeAdded merges headers that the hook added into existing ones whose names differ
// only in case: a value in headers replaces the first value, further values in
// multivalue_headers are added.
func mergeAdded(r *driver.ResponseReply, added []string, first map[string]string, sent map[string][]string) {
	slices.Sort(added)
	for _, name := range slices.Compact(added) {
		further := r.Headers[name]
		value, set := first[name]
		if set && len(further) > 0 {
			further = further[1:]
		}
		delete(r.Headers, name)
		target := existingName(name, r.Headers, sent)
		if set {
			setFirst(r, target, value)
		}
		r.Headers[target] = append(r.Headers[target], further...)
	}
}

// existingName returns the spelling of a header that was sent or is already set, and
// name if there is none.
func existingName(name string, headers, sent map[string][]string) string {
	for _, known := range []map[string][]string{sent, headers} {
		found := ""
		for other := range known {
			if strings.EqualFold(other, name) && (found == "" || other < found) {
				found = other
			}
		}
		if found != "" {
			return found
		}
	}
	return name
}

func decodeHeader(r *driver.ResponseReply, data string) error {
	var name string
	var values []string
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case headerKey:
			name = f.text
		case headerValues:
			values = append(values, f.text)
		}
	}
	r.Headers[name] = append(r.Headers[name], values...)
	return f.err
}
