// Package inproc runs Python inside the Go process, through libgateway.
//
// It is the only package that imports "C", and needs the build tags coprocess and python.
package inproc
