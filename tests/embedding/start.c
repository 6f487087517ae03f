/* The start alone. */
#include "harness.h"

int main(int argc, char **argv)
{
    gateway_reply reply = {0};
    (void)argc;
    open_library(argv);
    int status = gateway.start(argv[3], &host, &reply);
    printf("start: %d %s\n", status, status == GATEWAY_OK ? "" : text(&reply));
    gateway.free(&reply);
    return 0;
}
