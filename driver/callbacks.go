//go:build coprocess && python

package driver

// Functions that the library calls, on the thread of the hook that asks, or on
// a thread of the plugin's own. The GIL is not held. Texts that come in are the
// library's; values that go out are from malloc and the library's to free. A panic
// would unwind through Python's frames: each function recovers its own.

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
)

// withoutSlot runs f on behalf of the call of that name, which gives its slot to
// others meanwhile; nil where the thread is in none, or that call has ended.
func withoutSlot(name uint64, f func(c *inflightCall)) {
	rt := started.Load()
	c := rt.calls.of(name)
	if c != nil && rt.admission.stepOut(&c.ticket, name) {
		defer rt.admission.stepIn(&c.ticket, name)
	}
	f(c)
}

// recovered turns a panic of the host into a failure of the callback.
func recovered(callback string, status *C.int) {
	fault := recover()
	if fault == nil {
		return
	}
	*status = C.HOST_FAILED
	defer func() { _ = recover() }() // it may have been the log
	started.Load().host.Log(Record{
		Level: "error", Message: fmt.Sprintf("the gateway failed in %s: %v\n%s", callback, fault, debug.Stack()),
	})
}

// goText copies a text of the library's.
func goText(p *C.char, n C.size_t) string { return string(goBytes(p, n)) }

// goBytes is memory of the library's, of any length, as long as the callback runs.
func goBytes(p *C.char, n C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n))
}

// fits tells whether sizes of the library's, which checks them too, are within a limit.
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

// give hands data to the library; false when there is no memory for it.
func give[T []byte | string](data T, p **C.char, n *C.size_t) bool {
	memory := allocate(len(data))
	if memory == nil {
		return false
	}
	copy(unsafe.Slice((*byte)(memory), len(data)), data)
	*p, *n = (*C.char)(memory), C.size_t(len(data))
	return true
}

// storeFailure says how a store call went wrong.
func storeFailure(ctx context.Context, err error, text **C.char, n *C.size_t) C.int {
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return C.HOST_TIMED_OUT
	}
	give(err.Error(), text, n)
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
			give(err.Error(), data, n)
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
	ctx, cancel := deadline(timeoutMS) // from here on, for all that it takes
	defer cancel()
	name := goText(key, keyLen)
	withoutSlot(currentCall(), func(*inflightCall) {
		data, found, err := rt.host.StoreGet(ctx, name)
		switch {
		case err != nil:
			status = storeFailure(ctx, err, value, valueLen)
		case !found:
			status = C.HOST_ABSENT
		case len(data) > rt.limits.StoreValue:
			give(fmt.Sprintf("its value has %d bytes, the limit is %d", len(data), rt.limits.StoreValue), value, valueLen)
			status = C.HOST_REFUSED
		case !give(data, value, valueLen):
			give("out of memory", value, valueLen)
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
	name, data := goText(key, keyLen), append([]byte{}, goBytes(value, valueLen)...)
	withoutSlot(currentCall(), func(*inflightCall) {
		status = C.HOST_OK
		err := rt.host.StoreSet(ctx, name, data, time.Duration(ttlMS)*time.Millisecond)
		if err != nil {
			status = storeFailure(ctx, err, text, textLen)
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
	rt.host.TriggerEvent(goText(api, apiLen), goText(name, nameLen), goText(payload, payloadLen))
	return C.HOST_OK
}

//export host_log
func host_log(level *C.char, levelLen C.size_t, api *C.char, apiLen C.size_t, hook *C.char, hookLen C.size_t, message *C.char, messageLen C.size_t) (status C.int) {
	defer recovered("host_log", &status)
	rt := started.Load()
	// The library has cut the message, and added a note that it did.
	messageLen = min(messageLen, C.size_t(rt.limits.LogMessage)+logNote)
	rt.host.Log(Record{
		Level: goText(level, levelLen), APIID: goText(api, apiLen),
		Hook: goText(hook, hookLen), Message: goText(message, messageLen),
	})
	return C.HOST_OK
}

// logNote has room for the library's note on a message that was cut.
const logNote = 100
