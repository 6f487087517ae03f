//go:build coprocess && python

package driver

import "unsafe"

// symbol is the address of a library function.
type symbol = unsafe.Pointer
