package driver

import (
	"maps"
	"slices"
	"strings"
)

// decodeReply reads from an encoded Object what a hook may change, and skips
// the rest without allocating. Strings of the reply are parts of data. sent is
// the call that data answers, session the bytes of the session sent with it.
func decodeReply(reply *Reply, data string, sent *Call, session string) error {
	reply.Overrides.ResponseCode = untouched
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
			// Python's encoder may order maps differently: then an untouched
			// session is decoded too, which costs time but changes nothing.
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
			if !isShown(f.text, sent.URL) {
				r.URL = restoreURL(f.text, sent.URL)
			}
		case requestAddParams:
			r.AddParams = append(r.AddParams, f.entry())
		case requestDeleteParams:
			r.DeleteParams = append(r.DeleteParams, f.text)
		case requestOverrides:
			f.fail(r.Overrides.decode(f.text))
		case requestMethod:
			if !isShown(f.text, sent.Method) {
				r.Method = f.text
			}
		}
	}
	r.restoreParams(sent.Params)
	return f.err
}

func (o *Overrides) decode(data string) error {
	o.ResponseCode = 0 // a message that says nothing of it means its zero value
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

// decode reads the response and brings both forms of its headers together:
// what the hook changed in headers wins over the first value in
// multivalue_headers, a name it took out of headers is gone, further values stay.
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
	var others []string // names that were not sent, or not in this spelling
	for name, value := range first {
		was := sent[name]
		if len(was) == 0 {
			others = append(others, name)
		} else if !isShown(value, was[0]) {
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
	r.respell(others, first, sent)
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

// respell brings headers that the hook added to those that HTTP takes for the same:
// what it set in headers replaces the first value, further values of
// multivalue_headers are added.
func (r *ResponseReply) respell(added []string, first map[string]string, sent map[string][]string) {
	slices.Sort(added)
	for _, name := range slices.Compact(added) {
		further := r.Headers[name]
		value, set := first[name]
		if set && len(further) > 0 {
			further = further[1:]
		}
		delete(r.Headers, name)
		target := spelling(name, r.Headers, sent)
		if set {
			r.setFirst(target, value)
		}
		r.Headers[target] = append(r.Headers[target], further...)
	}
}

// spelling returns how a header was sent, or else is spelled already, name when neither.
func spelling(name string, headers, sent map[string][]string) string {
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
