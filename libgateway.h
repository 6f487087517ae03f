/*
 * libgateway.h: everything that crosses between the host (Go) and Python.
 *
 * Go includes this file; build_gateway.py drops its '#' lines and the two
 * markers GATEWAY_C and GATEWAY_PYTHON and gives the rest to CFFI. There is no
 * second copy of a declaration. So: enums instead of #define, no inline
 * function, no extern "C" block.
 *
 * Names say direction: gateway_* is called by the host and runs in the
 * library, host_* is called by the library and runs in the host.
 *
 * Threads: every gateway_* function but gateway_start may be called from any
 * thread, at once from many. A host_* callback arrives on the thread that made
 * the gateway_* call, or on a thread of the plugin's own; the library does not
 * hold the GIL while it waits for one.
 */
#ifndef LIBGATEWAY_H
#define LIBGATEWAY_H

#include <stddef.h>
#include <stdint.h>

#define GATEWAY_C      /* written in C, in build_gateway.py */
#define GATEWAY_PYTHON /* written in Python, in tyk_cffi/exports.py */

/* The ABI version: raised with every incompatible change of this file. A host refuses a
 * library with another one. */
enum { GATEWAY_ABI_VERSION = 3 };

/* What a gateway_* call answers. Zero is failure: it is what a call answers
 * that Python never ran. */
enum gateway_status {
    GATEWAY_DID_NOT_RUN = 0,
    GATEWAY_OK = 1,
    GATEWAY_HOOK_FAILED = 2,   /* the hook raised, or returned what it must not */
    GATEWAY_UNKNOWN = 3,       /* no hook, event handler or handle of that name */
    GATEWAY_BAD_MESSAGE = 4,   /* the bytes given do not decode */
    GATEWAY_LOAD_FAILED = 5,   /* the code did not load; what was there before stays */
    GATEWAY_START_FAILED = 6   /* the interpreter or the runtime did not start */
};

/* What a host_* callback answers. */
enum host_status {
    HOST_DID_NOT_RUN = 0,
    HOST_OK = 1,
    HOST_ABSENT = 2,    /* the store has no such key */
    HOST_TIMED_OUT = 3, /* the deadline passed */
    HOST_FAILED = 4,    /* the text says why, if there is one */
    HOST_REFUSED = 5    /* an argument is larger than the host takes; likewise */
};

/* Levels of the log, with the numbers of Python's logging. */
enum host_log_level {
    HOST_LOG_DEBUG = 10,
    HOST_LOG_INFO = 20,
    HOST_LOG_WARNING = 30,
    HOST_LOG_ERROR = 40
};

/* Whether the hook replaced the body of the call. */
enum gateway_body { GATEWAY_BODY_KEPT = 0, GATEWAY_BODY_REPLACED = 1 };

/* Which of the two bodies of a call host_table.body is asked for. */
enum host_body { HOST_REQUEST_BODY = 0, HOST_RESPONSE_BODY = 1 };

/* A growing buffer for what comes back, owned by the caller for as long as it
 * likes and used for one call at a time. */
typedef struct gateway_reply {
    char *data;         /* from malloc; grown by the library (gateway_answer), given
                           back by the owner with gateway_free. May be NULL at first. */
    size_t capacity;    /* bytes at data */
    size_t message_len; /* first part of data: the message; where the status is not
                           GATEWAY_OK, an error text in UTF-8, first line the summary */
    size_t body_len;    /* second part of data: the body that replaces the old one */
    int32_t body;       /* enum gateway_body */
    uint64_t call;      /* the host's name for the call, for host_table.body; no other
                           call ever has it. The library leaves it as it is */
} gateway_reply;

/* Limits in bytes; SIZE_MAX is none. The library checks them before it copies anything
 * for the host, so that a large value costs an exception and no memory. */
typedef struct host_limits {
    size_t store_value;   /* key and value of a store call; above it a ValueError */
    size_t event_payload; /* name and payload of an event; likewise */
    size_t log_message;   /* above it a message is cut, and says so */
    size_t reply_message; /* message of a reply; above it the call fails */
    size_t reply_body;    /* body of a reply; likewise */
} host_limits;

/* The host's services. The table and what it points to are the host's and live
 * as long as the process. Texts are UTF-8, not NUL-terminated, and the
 * library's: the host copies what it keeps. api is the api_id of the API whose
 * hook is running, empty outside of a hook. timeout_ms bounds the call. */
typedef struct host_table {
    host_limits limits;
    int32_t log_level; /* enum host_log_level: the least that is logged, at the start;
                          gateway_log_level changes it */
    /* Reads a body that the host has not read yet. call is the one in the call's
     * reply, which is an enum host_body. On HOST_OK *data is the host's and stays until
     * the call returns; on HOST_FAILED it is an error text, from malloc and the
     * library's. Any thread may ask; once the call has returned the answer is
     * HOST_DID_NOT_RUN. */
    int (*body)(uint64_t call, int which, char **data, size_t *len);
    /* *value (on HOST_OK the value, on HOST_FAILED and HOST_REFUSED an error text or
     * NULL) is from malloc and the library's to give back with free. */
    int (*store_get)(const char *key, size_t key_len, int64_t timeout_ms,
                     char **value, size_t *value_len);
    /* *error is an error text, as with store_get. ttl_ms 0 keeps the
     * value until it is overwritten. */
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

/* Starts the interpreter and the runtime: once, first of all, on a thread that
 * lives as long as the process. executable is the python of the environment to
 * run in (its site-packages and sys.executable follow from it), NUL-terminated,
 * the caller's; host lives as long as the process. The GIL is released on return. */
GATEWAY_C int gateway_start(const char *executable, const host_table *host, gateway_reply *reply);

/* Writes both parts of a reply, copies of what is given; NULL and 0 for no body. For
 * the library's own use. 1, or 0 when out of memory. */
GATEWAY_C int gateway_answer(gateway_reply *reply, const char *message, size_t message_len,
                             const char *body, size_t body_len);

/* Gives reply->data back and clears the reply; the struct stays the caller's. */
GATEWAY_C void gateway_free(gateway_reply *reply);

/* Loads, or loads anew, the code of one source. request is JSON (docs/internals.md,
 * "Load"), the caller's; the reply's message is JSON too. */
GATEWAY_PYTHON int gateway_load(const char *request, size_t request_len, gateway_reply *reply);

/* Finds one hook for one API, and remembers with it what never changes from
 * call to call. request is JSON ("Bind"); the reply's message is JSON with the handle
 * and whether the hook waits without using the interpreter (async def). */
GATEWAY_PYTHON int gateway_bind(const char *request, size_t request_len, gateway_reply *reply);

/* Forgets a handle. Calls that are running finish. */
GATEWAY_PYTHON int gateway_unbind(uint64_t handle);

/* Runs the hook of a handle. message is a coprocess.Object without spec and
 * without bodies; the bodies travel beside it: NULL and 0 where there is none, NULL
 * and any other length where the host has not read it (host_table.body does). All
 * three are the caller's and are read during the call only. The reply's message
 * is a coprocess.Object of which the host reads what a hook may change; empty
 * when nothing was. */
GATEWAY_PYTHON int gateway_dispatch(uint64_t handle, const char *message, size_t message_len,
                                    const char *body, size_t body_len,
                                    const char *response_body, size_t response_body_len,
                                    gateway_reply *reply);

/* Calls an event handler. event is the JSON of the contract's section 7. */
GATEWAY_PYTHON int gateway_dispatch_event(const char *event, size_t event_len, gateway_reply *reply);

/* Counters of the runtime, as JSON. */
GATEWAY_PYTHON int gateway_stats(gateway_reply *reply);

/* Changes the least level that the host logs (enum host_log_level). */
GATEWAY_PYTHON int gateway_log_level(int32_t level);

/* Runs what plugins want run at the end and flushes what they wrote, before the process
 * ends; the host waits no longer than timeout_ms. Python itself is never taken down:
 * threads of plugins may still run. */
GATEWAY_PYTHON int gateway_stop(int64_t timeout_ms, gateway_reply *reply);

#endif
