//go:build coprocess && python

package inproc

/*
#cgo CFLAGS: -I${SRCDIR}/../.. -Wall -Werror
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include "libgateway.h"

// The functions of the loaded library, each with the type that the header gives it.
#define FUNCTIONS(X) \
	X(abi_version) X(start) X(load) X(bind) X(unbind) X(dispatch) X(dispatch_event) \
	X(stats) X(log_level) X(stop) X(free)

static struct {
#define DECLARE(name) __typeof__(&gateway_##name) name;
	FUNCTIONS(DECLARE)
} library;

// Finds all functions in a library; returns the name of one that it lacks, or NULL.
static const char *find_functions(void *handle) {
#define FIND(name) \
	if ((library.name = (__typeof__(library.name))dlsym(handle, "gateway_" #name)) == NULL) \
		return "gateway_" #name;
	FUNCTIONS(FIND)
	return NULL;
}

// Go cannot call through pointers, so each function has a wrapper.
static int call_abi_version(void) { return library.abi_version(); }
static int call_load(const char *request, size_t len, gateway_reply *r) { return library.load(request, len, r); }
static int call_bind(const char *request, size_t len, gateway_reply *r) { return library.bind(request, len, r); }
static int call_unbind(uint64_t handle) { return library.unbind(handle); }
static int call_stats(gateway_reply *r) { return library.stats(r); }
static int call_log_level(int32_t level) { return library.log_level(level); }
static int call_stop(int64_t timeout_ms, gateway_reply *r) { return library.stop(timeout_ms, r); }
static void call_free(gateway_reply *r) { library.free(r); }

// The call that this thread runs, for its callbacks; 0 if it runs none.
static __thread uint64_t current_call;
static uint64_t in_call(void) { return current_call; }

static int call_event(uint64_t call, const char *event, size_t len, gateway_reply *r) {
	int status;
	current_call = call;
	status = library.dispatch_event(event, len, r);
	current_call = 0;
	return status;
}

static int call_dispatch(uint64_t call, uint64_t handle,
                         const char *message, size_t message_len, const char *body, size_t body_len,
                         const char *response_body, size_t response_body_len, gateway_reply *r) {
	int status;
	r->message_len = r->body_len = 0;
	r->body = GATEWAY_BODY_KEPT;
	r->call = call;
	current_call = call;
	status = library.dispatch(handle, message, message_len, body, body_len,
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

static int call_start(const char *executable, host_limits limits, int32_t log_level, gateway_reply *r) {
	host_callbacks.limits = limits;
	host_callbacks.log_level = log_level;
	return library.start(executable, &host_callbacks, r);
}
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/tyk-cffi/tyk-cffi/driver"
)

// headerABI is the ABI version of the header that this driver was built with.
const headerABI = C.GATEWAY_ABI_VERSION

// openLibrary loads libpython, with symbols visible to C extensions such as numpy's,
// and then libgateway. Neither is ever unloaded.
func openLibrary(libpython, path string) error {
	if pythonLoaded() {
		return fmt.Errorf("cannot load %s: this process has already loaded a libpython; build the program without the package that links it", libpython)
	}
	if _, err := dlopen(libpython, C.RTLD_NOW|C.RTLD_GLOBAL); err != nil {
		return err
	}
	handle, err := dlopen(path, C.RTLD_NOW|C.RTLD_LOCAL)
	if err != nil {
		return err
	}
	if lacks := C.find_functions(handle); lacks != nil {
		return fmt.Errorf("%s does not export %s: it is not the library of this gateway", path, C.GoString(lacks))
	}
	if abi := int(C.call_abi_version()); abi != headerABI {
		return fmt.Errorf("%s has ABI version %d, and this gateway requires %d: install the tyk_cffi package that belongs to this gateway", path, abi, headerABI)
	}
	return nil
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
func startPython(executable string, limits driver.Limits, level string) error {
	name := C.CString(executable)
	defer C.free(unsafe.Pointer(name))
	r := newReply()
	defer r.free()
	bounds := C.host_limits{
		store_value: C.size_t(limits.StoreValue), event_payload: C.size_t(limits.EventPayload),
		log_message: C.size_t(limits.LogMessage), reply_message: C.size_t(limits.Message),
		reply_body: C.size_t(limits.Body),
	}
	return r.result(C.call_start(name, bounds, C.int32_t(levelNumber(level)), r.c))
}

// callLoad loads a source. It takes and returns JSON, as callBind does.
func callLoad(request []byte) ([]byte, error) {
	r := newReply()
	defer r.free()
	data, size := cBytes(request)
	err := r.result(C.call_load(data, size, r.c))
	return []byte(r.message()), err
}

// callBind binds a hook to a handle.
func callBind(request []byte) ([]byte, error) {
	r := newReply()
	defer r.free()
	data, size := cBytes(request)
	err := r.result(C.call_bind(data, size, r.c))
	return []byte(r.message()), err
}

// callEvent calls an event handler. id is that of the call.
func callEvent(id uint64, event []byte) error {
	r := newReply()
	defer r.free()
	data, size := cBytes(event)
	return r.result(C.call_event(C.uint64_t(id), data, size, r.c))
}

// callStats returns the counters of the Python runtime, as JSON.
func callStats() ([]byte, error) {
	r := newReply()
	defer r.free()
	err := r.result(C.call_stats(r.c))
	return []byte(r.message()), err
}

// cBytes returns a slice as the library expects it.
func cBytes(data []byte) (*C.char, C.size_t) {
	return (*C.char)(unsafe.Pointer(unsafe.SliceData(data))), C.size_t(len(data))
}

// stopPlugins runs the plugins' exit functions.
func stopPlugins(limit time.Duration) error {
	r := newReply()
	defer r.free()
	return r.result(C.call_stop(C.int64_t(limit.Milliseconds()), r.c))
}

// setLevel changes the lowest level that is logged.
func setLevel(level string) {
	C.call_log_level(C.int32_t(levelNumber(level)))
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

func unbindHook(handle uint64) { C.call_unbind(C.uint64_t(handle)) }

// callDispatch runs a hook. The library reads Go memory only during the call.
func callDispatch(c *inflightCall) error {
	call := c.callBodies.call
	message, messageLen := cBytes(c.message)
	body, bodyLen := bodyOf(call.Request.Body, call.Request.ReadBody)
	var responseBody *C.char
	var responseLen C.size_t
	if response := call.Response; response != nil {
		responseBody, responseLen = bodyOf(response.Body, response.ReadBody)
	}
	return c.reply.result(C.call_dispatch(C.uint64_t(c.callID), C.uint64_t(c.handle),
		message, messageLen, body, bodyLen, responseBody, responseLen, c.reply.c))
}

// bodyOf returns a body as the library expects it: a null pointer with a length stands
// for a body that has not been read.
func bodyOf(data []byte, read func() ([]byte, error)) (*C.char, C.size_t) {
	if data == nil && read != nil {
		return nil, 1
	}
	return cBytes(data)
}

// currentCall returns the id of the call that this thread runs, 0 for none.
func currentCall() uint64 { return uint64(C.in_call()) }

// allocate returns C memory, nil if memory is exhausted.
func allocate(size int) unsafe.Pointer { return C.allocate(C.size_t(size)) }

// reply is C memory that the library fills. It is used for one call at a time.
type reply struct{ c *C.gateway_reply }

func newReply() *reply {
	return &reply{(*C.gateway_reply)(C.calloc(1, C.sizeof_gateway_reply))}
}

func (r *reply) free() {
	r.shrink()
	C.free(unsafe.Pointer(r.c))
	r.c = nil
}

// shrink frees the reply's buffer.
func (r *reply) shrink() { C.call_free(r.c) }

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
	C.GATEWAY_HOOK_FAILED: driver.ErrHookFailed, C.GATEWAY_UNKNOWN: driver.ErrUnknown,
	C.GATEWAY_BAD_MESSAGE: driver.ErrBadMessage, C.GATEWAY_LOAD_FAILED: driver.ErrLoadFailed,
	C.GATEWAY_START_FAILED: driver.ErrStartFailed,
}

// result converts a status to an error with the reply's text.
func (r *reply) result(status C.int) error {
	if status == C.GATEWAY_OK {
		return nil
	}
	kind, known := failures[status]
	if !known {
		return driver.NewError(driver.ErrDidNotRun, "the call did not run in Python: see stderr")
	}
	return driver.NewError(kind, r.message())
}
