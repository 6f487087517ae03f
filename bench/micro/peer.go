//go:build coprocess && python

package main

import (
	"bytes"
	"context"

	"github.com/TykTechnologies/tyk/coprocess"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/tyk-cffi/tyk-cffi/bench/peer"
)

// peerVariants are the same calls over gRPC, with the body in the message.
func peerVariants(address string) (list []variant, err error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(1<<30), grpc.MaxCallSendMsgSize(1<<30)))
	if err != nil {
		return nil, err
	}
	client := peer.NewDispatcherClient(connection)
	dispatch := func(body []byte) func() error {
		return func() error {
			_, err := client.Dispatch(context.Background(), object(body), grpc.WaitForReady(true))
			return err
		}
	}
	for _, goroutines := range []int{1, 16, 256} {
		list = append(list, variant{"one hook, gRPC", goroutines, 1536, dispatch(nil), nil})
	}
	for _, kind := range kinds[1:] {
		body := bytes.Repeat([]byte("x"), kind.size)
		list = append(list, variant{"body of " + kind.name + ", gRPC", 1, 60, dispatch(body), nil})
	}
	return list, nil
}

// object is the call in the form that a gateway sends over gRPC.
func object(body []byte) *coprocess.Object {
	c := call(body)
	first := map[string]string{"Host": c.Request.Host}
	for name, values := range headers() {
		first[name] = values[0]
	}
	return &coprocess.Object{
		HookType: coprocess.HookType_Pre, HookName: "add_header",
		Request: &coprocess.MiniRequestObject{
			Headers: first, Url: c.Request.URL, Params: map[string]string{"a": "1"}, Method: c.Request.Method,
			RequestUri: c.Request.RequestURI, Scheme: c.Request.Scheme, RawBody: body, Body: string(body),
			ReturnOverrides: &coprocess.ReturnOverrides{ResponseCode: -1},
		},
		Spec: map[string]string{"APIID": "2", "OrgID": "default"},
	}
}
