/*
 * libgateway.h: the interface between the host (Go) and Python.
 *
 * Go includes this file. build_gateway.py removes the '#' lines and the two
 * markers GATEWAY_C and GATEWAY_PYTHON and passes the rest to CFFI, so that each
 * declaration exists only once. Therefore it has enums instead of #define, no inline
 * functions and no extern "C" block.
 *
 * gateway_* functions are called by the host and run in the library, host_* functions
 * are called by the library and run in the host.
 *
 * Threads: every gateway_* function except gateway_start may be called from any
 * thread, concurrently. A host_* callback runs on the thread that made the gateway_*
 * call, or on a thread of the plugin. The library releases the GIL for it.
 */
#ifndef LIBGATEWAY_H
#define LIBGATEWAY_H

#include <stddef.h>
#include <stdint.h>

#define GATEWAY_C      /* written in C, in build_gateway.py */
#define GATEWAY_PYTHON /* written in Python, in tyk_cffi/transport/cffi.py */

/* The ABI version: raised with every incompatible change of this file. A host refuses a
 * library with another one (gateway_abi_version). */
enum { GATEWAY_ABI_VERSION = 4 };

/* Result of a gateway_* call. Zero is a failure: it is the result of a call that never
 * ran in Python. */
enum gateway_status {
    GATEWAY_DID_NOT_RUN = 0,
    GATEWAY_OK = 1,
    GATEWAY_HOOK_FAILED = 2,   /* the hook raised an exception, or returned an invalid value */
    GATEWAY_UNKNOWN = 3,       /* no hook, event handler or handle of that name */
    GATEWAY_BAD_MESSAGE = 4,   /* the given bytes cannot be decoded */
    GATEWAY_LOAD_FAILED = 5,   /* the code did not load; the previous code stays in use */
    GATEWAY_START_FAILED = 6   /* the interpreter or the runtime did not start */
};

/* Result of a host_* callback. */
enum host_status {
    HOST_DID_NOT_RUN = 0,
    HOST_OK = 1,
    HOST_ABSENT = 2,    /* the store has no such key */
    HOST_TIMED_OUT = 3, /* the deadline passed */
    HOST_FAILED = 4,    /* the text, if any, is the reason */
    HOST_REFUSED = 5    /* an argument exceeds a limit; the text, if any, is the reason */
};

/* Log levels, with the numbers of Python's logging. */
enum host_log_level {
    HOST_LOG_DEBUG = 10,
    HOST_LOG_INFO = 20,
    HOST_LOG_WARNING = 30,
    HOST_LOG_ERROR = 40
};

/* Whether the hook replaced the body of the call. */
enum gateway_body { GATEWAY_BODY_KEPT = 0, GATEWAY_BODY_REPLACED = 1 };

/* Which of the two bodies of a call host_table.body reads. */
enum host_body { HOST_REQUEST_BODY = 0, HOST_RESPONSE_BODY = 1 };

/* A growing buffer for the reply. The caller owns it, may reuse it, and uses it for one
 * call at a time. */
typedef struct gateway_reply {
    char *data;         /* from malloc; grown by the library (gateway_answer), freed
                           by the owner with gateway_free. May be NULL at first. */
    size_t capacity;    /* bytes at data */
    size_t message_len; /* first part of data: the message; if the status is not
                           GATEWAY_OK, an error text in UTF-8 whose first line is the summary */
    size_t body_len;    /* second part of data: the body that replaces the call's */
    int32_t body;       /* enum gateway_body */
    uint64_t call;      /* the host's unique id of the call, for host_table.body. The
                           library does not change it */
} gateway_reply;

/* Limits in bytes; SIZE_MAX means no limit. The library checks them before it copies
 * data for the host, so that a large value raises an exception and uses no memory. */
typedef struct host_limits {
    size_t store_value;   /* key plus value of a store call; larger ones raise ValueError */
    size_t event_payload; /* name plus payload of an event; likewise */
    size_t log_message;   /* longer messages are cut, with a note */
    size_t reply_message; /* message of a reply; the call fails above it */
    size_t reply_body;    /* body of a reply; likewise */
} host_limits;

/* The host's services. The host owns the table and what it points to, which live as
 * long as the process. Strings are UTF-8, not NUL-terminated, and owned by the library:
 * the host copies what it keeps. api is the api_id of the API whose hook is running,
 * empty outside of a hook. timeout_ms bounds the call. */
typedef struct host_table {
    host_limits limits;
    int32_t log_level; /* enum host_log_level: the lowest level that is logged, initially;
                          gateway_log_level changes it */
    /* Reads a body that the host has not read yet. call is the id in the call's reply,
     * which is an enum host_body. On HOST_OK the host owns *data, which stays valid until
     * the call returns. On HOST_FAILED *data is an error text from malloc that the library
     * frees. Any thread may call it; after the call has returned the result is
     * HOST_DID_NOT_RUN. */
    int (*body)(uint64_t call, int which, char **data, size_t *len);
    /* *value (on HOST_OK the value, on HOST_FAILED and HOST_REFUSED an error text or
     * NULL) is from malloc; the library frees it. */
    int (*store_get)(const char *key, size_t key_len, int64_t timeout_ms,
                     char **value, size_t *value_len);
    /* *error is an error text, as in store_get. With ttl_ms 0 the value does not
     * expire. */
    int (*store_set)(const char *key, size_t key_len, const char *value, size_t value_len,
                     int64_t ttl_ms, int64_t timeout_ms, char **error, size_t *error_len);
    /* HOST_OK: the key was there; HOST_ABSENT: it was not. */
    int (*store_delete)(const char *key, size_t key_len, int64_t timeout_ms,
                        char **error, size_t *error_len);
    /* Adds by to the decimal integer at key, 0 when absent, in one step; *result is the
     * sum. ttl_ms counts only when the key was absent; 0 keeps it. HOST_FAILED, and
     * nothing changed, where the value is no integer or the sum has more than 64 bits. */
    int (*store_increment)(const char *key, size_t key_len, int64_t by, int64_t ttl_ms,
                           int64_t timeout_ms, int64_t *result, char **error, size_t *error_len);
    /* On HOST_OK *ttl_ms is what the key has left, 0 when it does not expire. */
    int (*store_ttl)(const char *key, size_t key_len, int64_t timeout_ms,
                     int64_t *ttl_ms, char **error, size_t *error_len);
    /* Does not wait for the event's handlers. */
    int (*trigger_event)(const char *api, size_t api_len, const char *name, size_t name_len,
                         const char *payload, size_t payload_len);
    /* level: "debug", "info", "warning" or "error"; hook may be empty. */
    int (*log)(const char *level, size_t level_len, const char *api, size_t api_len,
               const char *hook, size_t hook_len, const char *message, size_t message_len);
} host_table;

/* The ABI version that the library was built with. It needs no interpreter and may be
 * called before all others. */
GATEWAY_C int gateway_abi_version(void);

/* Starts the interpreter and the runtime. It must be called once, before all others,
 * on a thread that lives as long as the process. executable is the python of the
 * environment to use (it determines site-packages and sys.executable), NUL-terminated
 * and owned by the caller. host must live as long as the process. On return the GIL is
 * released. */
GATEWAY_C int gateway_start(const char *executable, const host_table *host, gateway_reply *reply);

/* Copies both parts into a reply; NULL and 0 for no body. Only the library calls it.
 * Returns 1, or 0 if memory is exhausted. */
GATEWAY_C int gateway_answer(gateway_reply *reply, const char *message, size_t message_len,
                             const char *body, size_t body_len);

/* Frees reply->data and clears the reply. The caller keeps the struct. */
GATEWAY_C void gateway_free(gateway_reply *reply);

/* Loads or reloads the code of a source. request is JSON (docs/internals.md, "Load"),
 * owned by the caller; the reply's message is JSON too. */
GATEWAY_PYTHON int gateway_load(const char *request, size_t request_len, gateway_reply *reply);

/* Binds a hook of one API, with the data that is the same for every call. request is
 * JSON ("Bind") with the handle, which the host chooses; the reply's message is JSON that
 * says whether the hook is asynchronous (async def). */
GATEWAY_PYTHON int gateway_bind(const char *request, size_t request_len, gateway_reply *reply);

/* Releases a handle. Running calls finish. */
GATEWAY_PYTHON int gateway_unbind(uint64_t handle);

/* Runs the hook of a handle. message is a coprocess.Object without spec and bodies,
 * which are separate arguments: NULL and 0 if there is none, NULL and another length if
 * the host has not read it (host_table.body does). The caller owns all three; they are
 * read only during the call. The reply's message is a coprocess.Object, of which the
 * host reads the fields that a hook may change; it is empty if nothing has changed. */
GATEWAY_PYTHON int gateway_dispatch(uint64_t handle, const char *message, size_t message_len,
                                    const char *body, size_t body_len,
                                    const char *response_body, size_t response_body_len,
                                    gateway_reply *reply);

/* Calls an event handler. event is JSON (docs/contract.md, section 7). */
GATEWAY_PYTHON int gateway_dispatch_event(const char *event, size_t event_len, gateway_reply *reply);

/* Counters of the runtime, as JSON. */
GATEWAY_PYTHON int gateway_stats(gateway_reply *reply);

/* Changes the lowest level that the host logs (enum host_log_level). */
GATEWAY_PYTHON int gateway_log_level(int32_t level);

/* Runs the plugins' exit functions and flushes their output, before the process ends.
 * The host waits at most timeout_ms. Python is never shut down: threads of plugins may
 * still run. */
GATEWAY_PYTHON int gateway_stop(int64_t timeout_ms, gateway_reply *reply);

#endif
