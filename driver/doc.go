// Package driver has the types with which a gateway runs Python hooks: a Backend loads code
// and binds hooks, Hook.Dispatch takes a Call and returns a Reply, and a Host provides the
// gateway's services to plugin code. Package inproc has the backend that runs Python in the
// gateway's process, package registry what each gateway needs above a backend.
//
// It is a separate module without dependencies, so that it can be copied into any
// gateway's tree.
//
//	backend, err := inproc.Start(driver.Options{Host: host})
//	plugins := registry.New(backend)
//	_, err = plugins.Load(driver.Source{Key: driver.DirectoryKey, Path: "middleware/python"})
//	hook, err := plugins.Bind(driver.Binding{Source: driver.DirectoryKey, Type: driver.Pre, Name: "MyPreMiddleware"})
//	reply, err := hook.Dispatch(ctx, &driver.Call{Request: driver.Request{Method: "GET", URL: "/get"}})
//
// All functions and methods are safe for concurrent use.
package driver
