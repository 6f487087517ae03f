//go:build coprocess && python

package driver

/*
#cgo CFLAGS: -I${SRCDIR}/.. -Wall -Werror
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "libgateway.h"

// The library is loaded at run time, so its functions are called through pointers,
// which Go cannot do itself. The prototypes are those of the header.
#define CALL(name, ...) ((__typeof__(&gateway_##name))symbol)(__VA_ARGS__)

// The call that this thread runs, for its callbacks; 0 if it runs none.
static __thread uint64_t current_call;
static uint64_t in_call(void) { return current_call; }

static int call_json(void *symbol, uint64_t call, const char *request, size_t len, gateway_reply *r) {
	int status;
	current_call = call;
	status = CALL(load, request, len, r);
	current_call = 0;
	return status;
}
static int call_plain(void *symbol, gateway_reply *r) { return CALL(stats, r); }
static int call_stop(void *symbol, int64_t timeout_ms, gateway_reply *r) { return CALL(stop, timeout_ms, r); }
static int call_log_level(void *symbol, int32_t level) { return CALL(log_level, level); }
static int call_unbind(void *symbol, uint64_t handle) { return CALL(unbind, handle); }
static void call_free(void *symbol, gateway_reply *r) { CALL(free, r); }

static int call_dispatch(void *symbol, uint64_t call, uint64_t handle,
                         const char *message, size_t message_len, const char *body, size_t body_len,
                         const char *response_body, size_t response_body_len, gateway_reply *r) {
	int status;
	r->message_len = r->body_len = 0;
	r->body = GATEWAY_BODY_KEPT;
	r->call = call;
	current_call = call;
	status = CALL(dispatch, handle, message, message_len, body, body_len,
	              response_body, response_body_len, r);
	current_call = 0;
	return status;
}

// Implemented in Go, in callbacks.go; cgo has no const.
extern int host_body(uint64_t, int, char **, size_t *);
extern int host_store_get(char *, size_t, int64_t, char **, size_t *);
extern int host_store_set(char *, size_t, char *, size_t, int64_t, int64_t, char **, size_t *);
extern int host_store_delete(char *, size_t, int64_t, char **, size_t *);
extern int host_store_increment(char *, size_t, int64_t, int64_t, int64_t, int64_t *, char **, size_t *);
extern int host_store_ttl(char *, size_t, int64_t, int64_t *, char **, size_t *);
extern int host_trigger_event(char *, size_t, char *, size_t, char *, size_t);
extern int host_log(char *, size_t, char *, size_t, char *, size_t, char *, size_t);

// Not const: limits and log level are set before the start.
static host_table host_callbacks = {
	.body = (__typeof__(((host_table *)0)->body))host_body,
	.store_get = (__typeof__(((host_table *)0)->store_get))host_store_get,
	.store_set = (__typeof__(((host_table *)0)->store_set))host_store_set,
	.store_delete = (__typeof__(((host_table *)0)->store_delete))host_store_delete,
	.store_increment = (__typeof__(((host_table *)0)->store_increment))host_store_increment,
	.store_ttl = (__typeof__(((host_table *)0)->store_ttl))host_store_ttl,
	.trigger_event = (__typeof__(((host_table *)0)->trigger_event))host_trigger_event,
	.log = (__typeof__(((host_table *)0)->log))host_log,
};

// C.malloc of cgo ends the process when memory is exhausted.
static void *allocate(size_t size) { return malloc(size > 0 ? size : 1); }

static int call_start(void *symbol, const char *executable, host_limits limits, int32_t log_level,
                      gateway_reply *r) {
	host_callbacks.limits = limits;
	host_callbacks.log_level = log_level;
	return CALL(start, executable, &host_callbacks, r);
}
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

// headerABI is the ABI version of the header that this driver was built with.
const headerABI = C.GATEWAY_ABI_VERSION

// library holds the functions of the loaded libgateway.
type library struct {
	start, load, bind, unbind, dispatch, dispatchEvent, stats, logLevel, stop, free unsafe.Pointer
}

// openLibrary loads libpython, with symbols visible to C extensions such as numpy's,
// and then libgateway. Neither is ever unloaded.
func openLibrary(libpython, path string) (*library, error) {
	if pythonLoaded() {
		return nil, fmt.Errorf("cannot load %s: this process has already loaded a libpython; build the program without the package that links it", libpython)
	}
	if _, err := dlopen(libpython, C.RTLD_NOW|C.RTLD_GLOBAL); err != nil {
		return nil, err
	}
	handle, err := dlopen(path, C.RTLD_NOW|C.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	var l library
	for name, into := range map[string]*unsafe.Pointer{
		"gateway_start": &l.start, "gateway_load": &l.load, "gateway_bind": &l.bind,
		"gateway_unbind": &l.unbind, "gateway_dispatch": &l.dispatch,
		"gateway_dispatch_event": &l.dispatchEvent, "gateway_stats": &l.stats,
		"gateway_stop": &l.stop, "gateway_log_level": &l.logLevel, "gateway_free": &l.free,
	} {
		if *into = find(handle, name); *into == nil {
			return nil, fmt.Errorf("%s does not export %s: it is not the library of this gateway", path, name)
		}
	}
	return &l, nil
}

// pythonLoaded reports whether the process has loaded a libpython.
func pythonLoaded() bool { return find(nil, "Py_IsInitialized") != nil } // nil searches all libraries

func find(handle unsafe.Pointer, name string) unsafe.Pointer {
	symbol := C.CString(name)
	defer C.free(unsafe.Pointer(symbol))
	return C.dlsym(handle, symbol)
}

func dlopen(path string, flags C.int) (unsafe.Pointer, error) {
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	handle := C.dlopen(name, flags)
	if handle == nil {
		return nil, fmt.Errorf("loading %s: %s", path, C.GoString(C.dlerror()))
	}
	return handle, nil
}

// startPython starts Python. The calling thread must live as long as the process.
func (l *library) startPython(executable string, limits Limits, level string) error {
	name := C.CString(executable)
	defer C.free(unsafe.Pointer(name))
	r := l.newReply()
	defer l.freeReply(r)
	bounds := C.host_limits{
		store_value: C.size_t(limits.StoreValue), event_payload: C.size_t(limits.EventPayload),
		log_message: C.size_t(limits.LogMessage), reply_message: C.size_t(limits.Message),
		reply_body: C.size_t(limits.Body),
	}
	return r.result(C.call_start(l.start, name, bounds, C.int32_t(levelNumber(level)), r.c))
}

// callJSON calls a function that takes and returns JSON. id is that of the call, 0 for
// none.
func (l *library) callJSON(symbol unsafe.Pointer, id uint64, request []byte) ([]byte, error) {
	r := l.newReply()
	defer l.freeReply(r)
	data := (*C.char)(unsafe.Pointer(unsafe.SliceData(request)))
	err := r.result(C.call_json(symbol, C.uint64_t(id), data, C.size_t(len(request)), r.c))
	return []byte(r.message()), err
}

// callPlain calls a function whose only parameter is the reply.
func (l *library) callPlain(symbol unsafe.Pointer) ([]byte, error) {
	r := l.newReply()
	defer l.freeReply(r)
	err := r.result(C.call_plain(symbol, r.c))
	return []byte(r.message()), err
}

// stopPlugins runs the plugins' exit functions.
func (l *library) stopPlugins(limit time.Duration) error {
	r := l.newReply()
	defer l.freeReply(r)
	return r.result(C.call_stop(l.stop, C.int64_t(limit.Milliseconds()), r.c))
}

// setLevel changes the lowest level that is logged.
func (l *library) setLevel(level string) {
	C.call_log_level(l.logLevel, C.int32_t(levelNumber(level)))
}

// levelNumber returns the number of a level. An unknown level counts as debug, so that
// no record is lost.
func levelNumber(level string) int {
	switch level {
	case "info":
		return C.HOST_LOG_INFO
	case "warning", "warn":
		return C.HOST_LOG_WARNING
	case "error", "fatal", "panic":
		return C.HOST_LOG_ERROR
	}
	return C.HOST_LOG_DEBUG
}

func (l *library) unbindHook(handle uint64) { C.call_unbind(l.unbind, C.uint64_t(handle)) }

// call runs a hook. The library reads Go memory only during the call.
func (l *library) call(c *inflightCall) error {
	call := c.callBodies.call
	body, bodyLen := bodyOf(call.Request.Body, call.Request.ReadBody)
	var responseBody *C.char
	var responseLen C.size_t
	if response := call.Response; response != nil {
		responseBody, responseLen = bodyOf(response.Body, response.ReadBody)
	}
	return c.reply.result(C.call_dispatch(l.dispatch, C.uint64_t(c.callID), C.uint64_t(c.handle),
		(*C.char)(unsafe.Pointer(unsafe.SliceData(c.message))), C.size_t(len(c.message)),
		body, bodyLen, responseBody, responseLen, c.reply.c))
}

// bodyOf returns a body as the library expects it: a null pointer with a length stands
// for a body that has not been read.
func bodyOf(data []byte, read func() ([]byte, error)) (*C.char, C.size_t) {
	if data == nil && read != nil {
		return nil, 1
	}
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.size_t(len(data))
}

// currentCall returns the id of the call that this thread runs, 0 for none.
func currentCall() uint64 { return uint64(C.in_call()) }

// allocate returns C memory, nil if memory is exhausted.
func allocate(size int) unsafe.Pointer { return C.allocate(C.size_t(size)) }

// reply is C memory that the library fills. It is used for one call at a time.
type reply struct{ c *C.gateway_reply }

func (l *library) newReply() *reply {
	return &reply{(*C.gateway_reply)(C.calloc(1, C.sizeof_gateway_reply))}
}

func (l *library) freeReply(r *reply) {
	l.shrink(r)
	C.free(unsafe.Pointer(r.c))
	r.c = nil
}

// shrink frees the reply's buffer.
func (l *library) shrink(r *reply) { C.call_free(l.free, r.c) }

func (r *reply) size() int { return int(r.c.capacity) }

// message returns a copy of the reply's message or error text.
func (r *reply) message() string {
	return string(unsafe.Slice((*byte)(unsafe.Pointer(r.c.data)), int(r.c.message_len)))
}

// body returns a copy of the body that replaces the call's.
func (r *reply) body() (body []byte, replaced bool) {
	if r.c.body != C.GATEWAY_BODY_REPLACED {
		return nil, false
	}
	start := unsafe.Add(unsafe.Pointer(r.c.data), r.c.message_len)
	return append([]byte{}, unsafe.Slice((*byte)(start), int(r.c.body_len))...), true
}

// failures maps each status to a kind of error.
var failures = map[C.int]error{
	C.GATEWAY_HOOK_FAILED: ErrHookFailed, C.GATEWAY_UNKNOWN: ErrUnknown,
	C.GATEWAY_BAD_MESSAGE: ErrBadMessage, C.GATEWAY_LOAD_FAILED: ErrLoadFailed,
	C.GATEWAY_START_FAILED: ErrStartFailed,
}

// result converts a status to an error with the reply's text.
func (r *reply) result(status C.int) error {
	if status == C.GATEWAY_OK {
		return nil
	}
	kind, known := failures[status]
	if !known {
		return &Error{kind: ErrDidNotRun, text: "the call did not run in Python: see stderr"}
	}
	return &Error{kind: kind, text: r.message()}
}
