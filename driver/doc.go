// Package driver runs Python hooks inside the Go process, through libgateway.
//
// It is a separate module without dependencies, so that it can be copied into any
// gateway's tree, and the only package here that imports "C". Its interface is
// plain Go: Dispatch takes a Call and returns a Reply, and a Host provides the
// gateway's services to plugin code.
//
//	rt, err := driver.Start(driver.Options{Host: host})
//	err = rt.Load(driver.Source{Key: driver.DirectoryKey, Path: "middleware/python"})
//	hook, err := rt.Bind(driver.Binding{Source: driver.DirectoryKey, Type: driver.Pre, Name: "MyPreMiddleware"})
//	reply, err := hook.Dispatch(ctx, &driver.Call{Request: driver.Request{Method: "GET", URL: "/get"}})
//
// All functions and methods are safe for concurrent use.
package driver
