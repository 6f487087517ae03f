/* What the C programs of these tests share: the library, loaded as a gateway
 * loads it, and a host with a small store. */
#ifndef HARNESS_H
#define HARNESS_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "libgateway.h"

#define LIBRARY(name) __typeof__(gateway_##name) *name
static struct {
    LIBRARY(start); LIBRARY(load); LIBRARY(bind); LIBRARY(unbind); LIBRARY(dispatch);
    LIBRARY(dispatch_event); LIBRARY(stats); LIBRARY(stop); LIBRARY(log_level); LIBRARY(free);
    LIBRARY(abi_version);
} gateway;

static int copy(const char *text, char **out, size_t *len)
{
    *len = strlen(text);
    *out = malloc(*len);
    memcpy(*out, text, *len);
    return HOST_OK;
}

static int is(const char *key, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(key, text, len) == 0;
}

static int store_get(const char *key, size_t key_len, int64_t timeout_ms, char **value, size_t *len)
{
    (void)timeout_ms;
    if (is(key, key_len, "coprocess-data:there"))
        return copy("value", value, len);
    if (is(key, key_len, "coprocess-data:slow"))
        return HOST_TIMED_OUT;
    if (is(key, key_len, "coprocess-data:down")) {
        copy("the store is down", value, len);
        return HOST_FAILED;
    }
    return HOST_ABSENT;
}

static int store_set(const char *key, size_t key_len, const char *value, size_t value_len,
                     int64_t ttl_ms, int64_t timeout_ms, char **error, size_t *error_len)
{
    (void)timeout_ms, (void)error, (void)error_len;
    printf("set %.*s = %.*s for %lld ms\n", (int)key_len, key, (int)value_len, value, (long long)ttl_ms);
    return HOST_OK;
}

static int store_delete(const char *key, size_t key_len, int64_t timeout_ms, char **error, size_t *len)
{
    char *value = NULL;
    int status = store_get(key, key_len, timeout_ms, &value, len);
    if (status == HOST_OK)
        free(value);
    else
        *error = value;
    return status;
}

static int store_increment(const char *key, size_t key_len, int64_t by, int64_t ttl_ms,
                           int64_t timeout_ms, int64_t *result, char **error, size_t *len)
{
    int status = store_delete(key, key_len, timeout_ms, error, len);
    if (status == HOST_OK) {
        copy("its value is not a number", error, len);
        return HOST_FAILED;
    }
    if (status != HOST_ABSENT)
        return status;
    printf("add %lld to %.*s for %lld ms\n", (long long)by, (int)key_len, key, (long long)ttl_ms);
    *result = by;
    return HOST_OK;
}

static int store_ttl(const char *key, size_t key_len, int64_t timeout_ms, int64_t *ttl_ms,
                     char **error, size_t *len)
{
    *ttl_ms = 1500;
    return store_delete(key, key_len, timeout_ms, error, len);
}

static int trigger_event(const char *api, size_t api_len, const char *name, size_t name_len,
                         const char *payload, size_t payload_len)
{
    printf("event %.*s %.*s %.*s\n", (int)api_len, api, (int)name_len, name, (int)payload_len, payload);
    return HOST_OK;
}

static int log_record(const char *level, size_t level_len, const char *api, size_t api_len,
                      const char *hook, size_t hook_len, const char *message, size_t message_len)
{
    printf("log %.*s [%.*s %.*s] %.*s\n", (int)level_len, level, (int)api_len, api,
           (int)hook_len, hook, (int)message_len, message);
    return HOST_OK;
}

/* The body that a call of dispatch with a NULL body of some length is given. */
static const char *unread = "unread";

static int read_body(uint64_t call, int which, char **data, size_t *len)
{
    if (unread == NULL) {
        copy("the client went away", data, len);
        return HOST_FAILED;
    }
    printf("body %d of call %llu\n", which, (unsigned long long)call);
    *data = (char *)unread;
    *len = strlen(unread);
    return HOST_OK;
}

static const host_table host = {
    .limits = {.store_value = 1000, .event_payload = 1000, .log_message = 1000,
               .reply_message = 2000, .reply_body = 1000},
    .log_level = HOST_LOG_INFO,
    .body = read_body, .store_get = store_get, .store_set = store_set,
    .store_delete = store_delete, .store_increment = store_increment, .store_ttl = store_ttl,
    .trigger_event = trigger_event, .log = log_record,
};

static void *must(void *pointer)
{
    if (pointer == NULL) {
        printf("%s\n", dlerror());
        exit(1);
    }
    return pointer;
}

/* Arguments of every program: libpython, library, executable, folder of plugins. */
static void open_library(char **argv)
{
    must(dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL));
    void *library = must(dlopen(argv[2], RTLD_NOW | RTLD_LOCAL));
#define FIND(name) gateway.name = must(dlsym(library, "gateway_" #name))
    FIND(start); FIND(load); FIND(bind); FIND(unbind); FIND(dispatch);
    FIND(dispatch_event); FIND(stats); FIND(stop); FIND(log_level); FIND(free);
    FIND(abi_version);
    if (gateway.abi_version() != GATEWAY_ABI_VERSION)
        printf("ABI version %d\n", gateway.abi_version());
}

/* The first line of a reply's message. */
static const char *text(gateway_reply *reply)
{
    static __thread char line[512];
    size_t n = 0;
    while (n < reply->message_len && n < sizeof line - 1 && reply->data[n] != '\n')
        n++;
    memcpy(line, reply->data, n);
    line[n] = 0;
    return line;
}

static void load(const char *folder)
{
    gateway_reply reply = {0};
    char request[1024];
    snprintf(request, sizeof request,
             "{\"key\": \"k\", \"path\": \"%s\", \"entry\": \"\", \"keep\": []}", folder);
    if (gateway.load(request, strlen(request), &reply) != GATEWAY_OK)
        printf("load: %s\n", text(&reply));
    gateway.free(&reply);
}

/* Returns the handle of a hook, 0 and a printed reason when there is none. */
static uint64_t bind_hook(const char *name)
{
    gateway_reply reply = {0};
    char request[512];
    static uint64_t last;
    uint64_t handle = ++last;
    snprintf(request, sizeof request,
             "{\"handle\": %llu, \"source\": \"k\", \"type\": 1, \"name\": \"%s\", \"spec\": {\"APIID\": \"api\"}}",
             (unsigned long long)handle, name);
    if (gateway.bind(request, strlen(request), &reply) != GATEWAY_OK) {
        printf("bind: %s\n", text(&reply));
        handle = 0;
    }
    gateway.free(&reply);
    return handle;
}

static int dispatch(uint64_t handle, const char *message, size_t len, const char *body,
                    size_t body_len, gateway_reply *reply)
{
    reply->message_len = reply->body_len = 0;
    reply->body = GATEWAY_BODY_KEPT;
    reply->call = 5000000005;
    return gateway.dispatch(handle, message, len, body, body_len, NULL, 0, reply);
}

#endif
