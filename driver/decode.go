package driver

import (
	"maps"
	"slices"
	"strings"
)

// decodeReply decodes the fields of an Object that a hook may change, and skips the
// others without allocating. Strings of the reply share memory with data. sent is the
// call that data replies to, session the encoded session of that call.
func decodeReply(reply *Reply, data string, sent *Call, session string) error {
	reply.Overrides.ResponseCode = codeUnset
	if sent.Response != nil {
		reply.Response = &ResponseReply{
			StatusCode: sent.Response.StatusCode,
			Headers:    maps.Clone(sent.Response.Headers),
		}
	}
	object := fields{rest: data}
	for object.next() {
		switch object.number {
		case objectRequest:
			object.fail(reply.decodeRequest(object.text, &sent.Request))
		case objectSession:
			// Python's encoder may order maps differently: then an codeUnset
			// session is then decoded too, which costs time but changes nothing.
			if object.text == session && sent.Session != nil {
				break
			}
			reply.Session = &Session{}
			object.fail(reply.Session.decode(object.text))
		case objectResponse:
			if sent.Response != nil {
				object.fail(reply.Response.decode(object.text, sent.Response.Headers))
			}
		}
	}
	return object.err
}

func (r *Reply) decodeRequest(data string, sent *Request) error {
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case requestSetHeaders:
			header := f.entry()
			header.restoreHeader(sent.Headers)
			r.SetHeaders = append(r.SetHeaders, header)
		case requestDeleteHeaders:
			r.DeleteHeaders = append(r.DeleteHeaders, f.text)
		case requestURL:
			if !equalAsUTF8(f.text, sent.URL) {
				r.URL = restoreURL(f.text, sent.URL)
			}
		case requestAddParams:
			r.AddParams = append(r.AddParams, f.entry())
		case requestDeleteParams:
			r.DeleteParams = append(r.DeleteParams, f.text)
		case requestOverrides:
			f.fail(r.Overrides.decode(f.text))
		case requestMethod:
			if !equalAsUTF8(f.text, sent.Method) {
				r.Method = f.text
			}
		}
	}
	r.restoreParams(sent.Params)
	return f.err
}

func (o *Overrides) decode(data string) error {
	o.ResponseCode = 0 // absent from the message means zero
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case overridesCode:
			o.ResponseCode = int(int32(f.value))
		case overridesError:
			o.ResponseError = f.text
		case overridesHeaders:
			o.Headers = append(o.Headers, f.entry())
		case overridesOverride:
			o.OverrideError = f.value != 0
		case overridesBody:
			o.ResponseBody = f.text
		}
	}
	return f.err
}

// decode decodes the response and merges both forms of its headers: a value that the
// hook changed in headers replaces the first value in multivalue_headers, a name that
// it removed from headers is removed, and further values stay (contract 6).
func (r *ResponseReply) decode(data string, sent map[string][]string) error {
	first := map[string]string{}
	r.StatusCode, r.Headers = 0, map[string][]string{}
	f := fields{rest: data}
	for f.next() {
		switch f.number {
		case responseStatus:
			r.StatusCode = int(int32(f.value))
		case responseHeaders:
			p := f.entry()
			first[p.Name] = p.Value
		case responseMultivalues:
			f.fail(r.decodeHeader(f.text))
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
			r.setFirst(name, value)
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
	r.mergeAdded(others, first, sent)
	return f.err
}

// setFirst sets a header's first value.
func (r *ResponseReply) setFirst(name, value string) {
	if values := r.Headers[name]; len(values) > 0 {
		values[0] = value
		return
	}
	r.Headers[name] = []string{value}
}

// mergeAdded merges headers that the hook added into existing ones whose names differ
// only in case: a value in headers replaces the first value, further values in
// multivalue_headers are added.
func (r *ResponseReply) mergeAdded(added []string, first map[string]string, sent map[string][]string) {
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
			r.setFirst(target, value)
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

func (r *ResponseReply) decodeHeader(data string) error {
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
