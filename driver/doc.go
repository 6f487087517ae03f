// Package driver runs Python hooks inside the Go process, through libgateway.
//
// It is a module of its own without dependencies, so that it drops into any
// gateway's tree, and the only package here that imports "C". Its interface is
// plain Go: a Call goes in, a Reply comes out, a Host serves what plugin code
// asks of the gateway.
//
//	rt, err := driver.Start(driver.Options{Host: host})
//	err = rt.Load(driver.Source{Key: driver.DirectoryKey, Path: "middleware/python"})
//	hook, err := rt.Bind(driver.Binding{Source: driver.DirectoryKey, Type: driver.Pre, Name: "MyPreMiddleware"})
//	reply, err := hook.Dispatch(ctx, &driver.Call{Request: driver.Request{Method: "GET", URL: "/get"}})
//
// All functions may be called from any goroutine, at once from many.
package driver
