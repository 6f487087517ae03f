//go:build coprocess && python

package driver

import "unsafe"

// symbol is the address of a function of the library.
type symbol = unsafe.Pointer
