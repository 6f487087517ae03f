/* Every function of the library, once. */
#include "harness.h"

static void show(const char *hook, const char *message, size_t len, const char *body, size_t size)
{
    gateway_reply reply = {0};
    int status = dispatch(bind_hook(hook), message, len, body, size, &reply);
    printf("%s: status %d", hook, status);
    if (status != GATEWAY_OK)
        printf(", %s", text(&reply));
    else
        printf(", message %zu bytes", reply.message_len);
    if (reply.body == GATEWAY_BODY_REPLACED)
        printf(", body %.*s", (int)reply.body_len, reply.data + reply.message_len);
    printf("\n");
    gateway.free(&reply);
}

int main(int argc, char **argv)
{
    static const char event[] = "{\"message\": {\"Type\": \"T\"}, \"handler_name\": \"handler\"}";
    gateway_reply reply = {0};
    (void)argc;
    open_library(argv);
    printf("start: %d\n", gateway.start(argv[3], &host, &reply));
    load(argv[4]);
    show("add", "", 0, NULL, 0);
    show("read", "\xff\xff", 2, NULL, 0);
    show("body", "", 0, "abc", 3);
    show("body", "", 0, NULL, 1);
    show("add", "", 0, NULL, 1);
    unread = NULL;
    show("body", "", 0, NULL, 1);
    show("exits", "", 0, NULL, 0);
    show("services", "", 0, NULL, 0);
    show("counters", "", 0, NULL, 0);
    show("counts_text", "", 0, NULL, 0);
    show("slow", "", 0, NULL, 0);
    show("down", "", 0, NULL, 0);
    show("long_value", "", 0, NULL, 0);
    show("long_event", "", 0, NULL, 0);
    show("long_log", "", 0, NULL, 0);
    show("long_header", "", 0, NULL, 0);
    show("long_body", "", 0, NULL, 0);
    show("long_error", "", 0, NULL, 0);
    show("debugs", "", 0, NULL, 0);
    printf("log level: %d\n", gateway.log_level(HOST_LOG_DEBUG));
    show("debugs", "", 0, NULL, 0);
    printf("event: %d\n", gateway.dispatch_event(event, sizeof event - 1, &reply));
    printf("no event: %d", gateway.dispatch_event("{", 1, &reply));
    printf(", %s\n", text(&reply));
    uint64_t handle = bind_hook("add");
    gateway.unbind(handle);
    printf("unbound: %d", dispatch(handle, "", 0, NULL, 0, &reply));
    printf(", %s\n", text(&reply));
    printf("stats: %d\n", gateway.stats(&reply));
    printf("stop: %d\n", gateway.stop(1000, &reply));
    gateway.free(&reply);
    return 0;
}
