//go:build coprocess && python

package driver

// Functions that the library calls, on the thread of the hook that asks, or on
// a thread of the plugin's own. The GIL is not held. Texts that come in are the
// library's; values that go out are from malloc and the library's to free.

// #include <stdlib.h>
// #include "libgateway.h"
import "C"

import (
	"context"
	"errors"
	"time"
	"unsafe"
)

// outside runs f on behalf of the crossing with that id, which gives its slot to
// others meanwhile; nil and 0 where the thread is in none.
func outside(id uint32, f func(c *crossing)) {
	rt := started.Load()
	c := rt.crossings.of(id)
	if c != nil {
		rt.admission.stepOut(&c.ticket)
		defer rt.admission.stepIn(&c.ticket)
	}
	f(c)
}

func goText(p *C.char, n C.size_t) string { return C.GoStringN(p, C.int(n)) }

// give hands data to the library.
func give(data []byte, p **C.char, n *C.size_t) {
	*p, *n = (*C.char)(C.CBytes(data)), C.size_t(len(data))
}

// storeFailure says how a store call went wrong.
func storeFailure(ctx context.Context, err error, text **C.char, n *C.size_t) C.int {
	if errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil {
		return C.HOST_TIMED_OUT
	}
	give([]byte(err.Error()), text, n)
	return C.HOST_FAILED
}

func deadline(ms C.int64_t) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), time.Duration(ms)*time.Millisecond)
}

//export host_body
func host_body(r *C.gateway_reply, which C.int, data **C.char, n *C.size_t) (status C.int) {
	outside(uint32(r.call), func(c *crossing) {
		if c == nil || c.call == nil {
			return // no call is running: HOST_DID_NOT_RUN
		}
		c.hook.looks.Store(true)
		content, err := c.read(body(which))
		if err != nil {
			give([]byte(err.Error()), data, n)
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
	name := goText(key, keyLen)
	outside(currentCall(), func(*crossing) {
		ctx, cancel := deadline(timeoutMS)
		defer cancel()
		data, found, err := started.Load().host.StoreGet(ctx, name)
		switch {
		case err != nil:
			status = storeFailure(ctx, err, value, valueLen)
		case !found:
			status = C.HOST_ABSENT
		default:
			give(data, value, valueLen)
			status = C.HOST_OK
		}
	})
	return status
}

//export host_store_set
func host_store_set(key *C.char, keyLen C.size_t, value *C.char, valueLen C.size_t, ttlMS, timeoutMS C.int64_t, text **C.char, textLen *C.size_t) (status C.int) {
	name, data := goText(key, keyLen), C.GoBytes(unsafe.Pointer(value), C.int(valueLen))
	outside(currentCall(), func(*crossing) {
		ctx, cancel := deadline(timeoutMS)
		defer cancel()
		status = C.HOST_OK
		err := started.Load().host.StoreSet(ctx, name, data, time.Duration(ttlMS)*time.Millisecond)
		if err != nil {
			status = storeFailure(ctx, err, text, textLen)
		}
	})
	return status
}

//export host_trigger_event
func host_trigger_event(api *C.char, apiLen C.size_t, name *C.char, nameLen C.size_t, payload *C.char, payloadLen C.size_t) C.int {
	started.Load().host.TriggerEvent(goText(api, apiLen), goText(name, nameLen), goText(payload, payloadLen))
	return C.HOST_OK
}

//export host_log
func host_log(level *C.char, levelLen C.size_t, api *C.char, apiLen C.size_t, hook *C.char, hookLen C.size_t, message *C.char, messageLen C.size_t) C.int {
	started.Load().host.Log(Record{
		Level: goText(level, levelLen), APIID: goText(api, apiLen),
		Hook: goText(hook, hookLen), Message: goText(message, messageLen),
	})
	return C.HOST_OK
}
