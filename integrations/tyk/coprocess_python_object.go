//go:build cgo && coprocess && python

package gateway

import (
	"maps"

	"google.golang.org/protobuf/proto"

	"github.com/TykTechnologies/tyk/coprocess"

	"github.com/tyk-cffi/tyk-cffi/driver"
	"github.com/tyk-cffi/tyk-cffi/driver/wire"
)

// callOf converts Tyk's object to the driver's call.
func callOf(object *coprocess.Object) (*driver.Call, error) {
	r := object.Request
	call := &driver.Call{Request: driver.Request{
		Method: r.Method, URL: r.Url, RequestURI: r.RequestUri, Scheme: r.Scheme,
		Host: r.Headers["Host"], Headers: driver.Single(r.Headers), Params: driver.Single(r.Params), Body: r.RawBody,
	}}
	if object.Session != nil {
		data, err := proto.Marshal(object.Session)
		if err != nil {
			return nil, err
		}
		if call.Session, err = wire.DecodeSession(data); err != nil {
			return nil, err
		}
	}
	if response := object.Response; response != nil {
		headers := make(map[string][]string, len(response.Headers))
		for name, value := range response.Headers {
			headers[name] = []string{value}
		}
		for _, header := range response.MultivalueHeaders {
			headers[header.Key] = header.Values
		}
		call.Response = &driver.UpstreamResponse{
			StatusCode: int(response.StatusCode), Headers: headers, Body: response.RawBody,
		}
	}
	return call, nil
}

// replyTo converts the driver's reply to the object that Tyk expects. It sets all fields
// of the request that Tyk reads. The response shares no memory with object's.
func replyTo(object *coprocess.Object, reply *driver.Reply) (*coprocess.Object, error) {
	r := object.Request
	request := &coprocess.MiniRequestObject{
		Url: r.Url, Method: r.Method, RequestUri: r.RequestUri, Scheme: r.Scheme, Body: r.Body, RawBody: r.RawBody,
		SetHeaders: single(reply.SetHeaders), DeleteHeaders: reply.DeleteHeaders,
		AddParams: single(reply.AddParams), DeleteParams: reply.DeleteParams,
		ReturnOverrides: &coprocess.ReturnOverrides{
			ResponseCode: int32(reply.Overrides.ResponseCode), ResponseError: reply.Overrides.ResponseError,
			ResponseBody: reply.Overrides.ResponseBody, OverrideError: reply.Overrides.OverrideError,
			Headers: single(reply.Overrides.Headers),
		},
	}
	if reply.URL != "" {
		request.Url = reply.URL
	}
	if reply.Method != "" {
		request.Method = reply.Method
	}
	if reply.BodyReplaced {
		request.RawBody = reply.Body
	}
	out := &coprocess.Object{
		HookType: object.HookType, HookName: object.HookName, Request: request,
		Session: object.Session, Metadata: maps.Clone(object.Metadata), Spec: object.Spec,
	}
	if reply.Session != nil {
		out.Session = &coprocess.SessionState{}
		if err := proto.Unmarshal(wire.EncodeSession(reply.Session), out.Session); err != nil {
			return nil, err
		}
		out.Metadata = maps.Clone(out.Session.Metadata)
	}
	if reply.Response != nil {
		out.Response = responseTo(object.Response, reply.Response)
	}
	return out, nil
}

func responseTo(was *coprocess.ResponseObject, reply *driver.ResponseReply) *coprocess.ResponseObject {
	response := &coprocess.ResponseObject{
		StatusCode: int32(reply.StatusCode), RawBody: was.RawBody, Headers: map[string]string{},
	}
	if reply.BodyReplaced {
		response.RawBody = reply.Body
	}
	for name, values := range reply.Headers {
		if len(values) > 0 {
			response.Headers[name] = values[0]
			header := &coprocess.Header{Key: name, Values: values}
			response.MultivalueHeaders = append(response.MultivalueHeaders, header)
		}
	}
	return response
}

func single(pairs []driver.Pair) map[string]string {
	if len(pairs) == 0 {
		return nil
	}
	out := make(map[string]string, len(pairs))
	for _, p := range pairs {
		out[p.Name] = p.Value
	}
	return out
}
