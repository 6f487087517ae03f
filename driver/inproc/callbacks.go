//go:build coprocess && python

package inproc

// Functions that the library calls, on the thread of the hook or on a thread of the
// plugin. The GIL is not held. Arguments are the library's memory; results are from
// malloc, and the library frees them. A panic would unwind through Python's frames, so
// each function recovers.

// #include <stdlib.h>
// #include "libgateway.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"
	"unsafe"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// withoutSlot runs f for the call with that id, which gives up its slot meanwhile. f's
// argument is nil if the thread runs no call, or the call has ended.
func withoutSlot(name uint64, f func(c *inflightCall)) {
	rt := started.Load()
	c := rt.calls.lookup(name)
	if c != nil && rt.admission.EnterCallback(&c.Ticket, name) {
		defer rt.admission.LeaveCallback(&c.Ticket, name)
	}
	f(c)
}

// recovered turns a panic of the host into an error of the callback.
func recovered(callback string, status *C.int) {
	fault := recover()
	if fault == nil {
		return
	}
	*status = C.HOST_FAILED
	defer func() { _ = recover() }() // the log may have been what failed
	started.Load().host.Log(driver.Record{
		Level: "error", Message: fmt.Sprintf("panic in %s: %v\n%s", callback, fault, debug.Stack()),
	})
}

// goString copies a string from the library's memory.
func goString(p *C.char, n C.size_t) string { return string(goBytes(p, n)) }

// goBytes returns the library's memory as a slice, valid while the callback runs.
func goBytes(p *C.char, n C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n))
}

// fits reports whether the sum of the sizes is within a limit. The library checks it too.
func fits(limit int, sizes ...C.size_t) bool {
	left := C.size_t(limit)
	for _, n := range sizes {
		if n > left {
			return false
		}
		left -= n
	}
	return true
}

// copyOut copies data to memory of the library; false if there is none.
func copyOut[T []byte | string](data T, p **C.char, n *C.size_t) bool {
	memory := allocate(len(data))
	if memory == nil {
		return false
	}
	copy(unsafe.Slice((*byte)(memory), len(data)), data)
	*p, *n = (*C.char)(memory), C.size_t(len(data))
	return true
}

// storeFailure returns the status and the error text of a failed store call.
func storeFailure(ctx context.Context, err error, text **C.char, n *C.size_t) C.int {
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return C.HOST_TIMED_OUT
	}
	copyOut(err.Error(), text, n)
	return C.HOST_FAILED
}

func deadline(ms C.int64_t) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

//export host_body
func host_body(call C.uint64_t, which C.int, data **C.char, n *C.size_t) (status C.int) {
	defer recovered("host_body", &status)
	withoutSlot(uint64(call), func(c *inflightCall) {
		if c == nil {
			return // no call is running: HOST_DID_NOT_RUN
		}
		c.hook.readsBody.Store(true)
		content, err := c.read(uint64(call), body(which))
		if errors.Is(err, errEnded) {
			return
		}
		if err != nil {
			copyOut(err.Error(), data, n)
			status = C.HOST_FAILED
			return
		}
		// The content is pinned until the call returns.
		*data, *n = (*C.char)(unsafe.Pointer(unsafe.SliceData(content))), C.size_t(len(content))
		status = C.HOST_OK
	})
	return status
}

//export host_store_get
func host_store_get(key *C.char, keyLen C.size_t, timeoutMS C.int64_t, value **C.char, valueLen *C.size_t) (status C.int) {
	defer recovered("host_store_get", &status)
	rt := started.Load()
	if !fits(rt.limits.StoreValue, keyLen) {
		return C.HOST_REFUSED
	}
	ctx, cancel := deadline(timeoutMS) // includes all that follows
	defer cancel()
	name := goString(key, keyLen)
	withoutSlot(currentCall(), func(*inflightCall) {
		data, found, err := rt.host.StoreGet(ctx, name)
		switch {
		case err != nil:
			status = storeFailure(ctx, err, value, valueLen)
		case !found:
			status = C.HOST_ABSENT
		case len(data) > rt.limits.StoreValue:
			copyOut(fmt.Sprintf("the value has %d bytes, the limit is %d", len(data), rt.limits.StoreValue), value, valueLen)
			status = C.HOST_REFUSED
		case !copyOut(data, value, valueLen):
			copyOut("out of memory", value, valueLen)
			status = C.HOST_FAILED
		default:
			status = C.HOST_OK
		}
	})
	return status
}

//export host_store_set
func host_store_set(key *C.char, keyLen C.size_t, value *C.char, valueLen C.size_t, ttlMS, timeoutMS C.int64_t, text **C.char, textLen *C.size_t) (status C.int) {
	defer recovered("host_store_set", &status)
	rt := started.Load()
	if !fits(rt.limits.StoreValue, keyLen, valueLen) {
		return C.HOST_REFUSED
	}
	ctx, cancel := deadline(timeoutMS)
	defer cancel()
	name, data := goString(key, keyLen), append([]byte{}, goBytes(value, valueLen)...)
	withoutSlot(currentCall(), func(*inflightCall) {
		status = C.HOST_OK
		err := rt.host.StoreSet(ctx, name, data, time.Duration(ttlMS)*time.Millisecond)
		if err != nil {
			status = storeFailure(ctx, err, text, textLen)
		}
	})
	return status
}

//export host_store_delete
func host_store_delete(key *C.char, keyLen C.size_t, timeoutMS C.int64_t, text **C.char, textLen *C.size_t) (status C.int) {
	defer recovered("host_store_delete", &status)
	return onKey(key, keyLen, timeoutMS, text, textLen, func(ctx context.Context, host driver.Host, name string) (bool, error) {
		return host.StoreDelete(ctx, name)
	})
}

//export host_store_increment
func host_store_increment(key *C.char, keyLen C.size_t, by, ttlMS, timeoutMS C.int64_t, result *C.int64_t, text **C.char, textLen *C.size_t) (status C.int) {
	defer recovered("host_store_increment", &status)
	return onKey(key, keyLen, timeoutMS, text, textLen, func(ctx context.Context, host driver.Host, name string) (bool, error) {
		n, err := host.StoreIncrement(ctx, name, int64(by), time.Duration(ttlMS)*time.Millisecond)
		*result = C.int64_t(n)
		return true, err
	})
}

//export host_store_ttl
func host_store_ttl(key *C.char, keyLen C.size_t, timeoutMS C.int64_t, ttlMS *C.int64_t, text **C.char, textLen *C.size_t) (status C.int) {
	defer recovered("host_store_ttl", &status)
	return onKey(key, keyLen, timeoutMS, text, textLen, func(ctx context.Context, host driver.Host, name string) (bool, error) {
		ttl, found, err := host.StoreTTL(ctx, name)
		*ttlMS = C.int64_t((ttl + time.Millisecond - 1) / time.Millisecond) // a little is not 0
		return found, err
	})
}

// onKey runs a store call that takes a key and returns no bytes.
func onKey(key *C.char, keyLen C.size_t, timeoutMS C.int64_t, text **C.char, textLen *C.size_t,
	call func(ctx context.Context, host driver.Host, name string) (found bool, err error),
) (status C.int) {
	rt := started.Load()
	if !fits(rt.limits.StoreValue, keyLen) {
		return C.HOST_REFUSED
	}
	ctx, cancel := deadline(timeoutMS) // includes all that follows
	defer cancel()
	name := goString(key, keyLen)
	withoutSlot(currentCall(), func(*inflightCall) {
		found, err := call(ctx, rt.host, name)
		switch {
		case err != nil:
			status = storeFailure(ctx, err, text, textLen)
		case found:
			status = C.HOST_OK
		default:
			status = C.HOST_ABSENT
		}
	})
	return status
}

//export host_trigger_event
func host_trigger_event(api *C.char, apiLen C.size_t, name *C.char, nameLen C.size_t, payload *C.char, payloadLen C.size_t) (status C.int) {
	defer recovered("host_trigger_event", &status)
	rt := started.Load()
	if !fits(rt.limits.EventPayload, nameLen, payloadLen) {
		return C.HOST_REFUSED
	}
	rt.host.TriggerEvent(goString(api, apiLen), goString(name, nameLen), goString(payload, payloadLen))
	return C.HOST_OK
}

//export host_log
func host_log(level *C.char, levelLen C.size_t, api *C.char, apiLen C.size_t, hook *C.char, hookLen C.size_t, message *C.char, messageLen C.size_t) (status C.int) {
	defer recovered("host_log", &status)
	rt := started.Load()
	// The library has cut the message and added a note.
	messageLen = min(messageLen, C.size_t(rt.limits.LogMessage)+logNote)
	rt.host.Log(driver.Record{
		Level: goString(level, levelLen), APIID: goString(api, apiLen),
		Hook: goString(hook, hookLen), Message: goString(message, messageLen),
	})
	return C.HOST_OK
}

// logNote is enough for the note that the library adds to a message it has cut.
const logNote = 100
