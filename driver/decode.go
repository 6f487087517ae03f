package driver

import "maps"

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
			r.SetHeaders = append(r.SetHeaders, f.entry())
		case requestDeleteHeaders:
			r.DeleteHeaders = append(r.DeleteHeaders, f.text)
		case requestURL:
			if f.text != sent.URL {
				r.URL = f.text
			}
		case requestAddParams:
			r.AddParams = append(r.AddParams, f.entry())
		case requestDeleteParams:
			r.DeleteParams = append(r.DeleteParams, f.text)
		case requestOverrides:
			f.fail(r.Overrides.decode(f.text))
		case requestMethod:
			if f.text != sent.Method {
				r.Method = f.text
			}
		}
	}
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
	for name, value := range first {
		was := sent[name]
		if len(was) > 0 && was[0] == value && len(r.Headers[name]) > 0 {
			continue
		}
		if values := r.Headers[name]; len(values) > 0 {
			values[0] = value
		} else if len(was) == 0 || was[0] != value {
			r.Headers[name] = []string{value}
		}
	}
	for name, was := range sent {
		if _, kept := first[name]; !kept && len(was) > 0 {
			delete(r.Headers, name)
		}
	}
	return f.err
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
