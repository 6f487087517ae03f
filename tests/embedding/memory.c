/* Resident memory after a tenth of many calls, failures among them, and at the end. */
#include <unistd.h>
#include "harness.h"

enum { CALLS = 200000 };

static long resident(void)
{
    long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL || fscanf(f, "%ld %ld", &size, &pages) != 2)
        exit(1);
    fclose(f);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

int main(int argc, char **argv)
{
    gateway_reply reply = {0};
    long begin = 0;
    (void)argc;
    open_library(argv);
    if (gateway.start(argv[3], &host, &reply) != GATEWAY_OK)
        return 1;
    load(argv[4]);
    uint64_t add = bind_hook("add"), body = bind_hook("body"), exits = bind_hook("exits");
    for (int i = 0; i < CALLS; i++) {
        if (i == CALLS / 10)
            begin = resident();
        dispatch(add, "", 0, NULL, 0, &reply);
        dispatch(body, "", 0, "some body", 9, &reply);
        if (i % 10 == 0)
            dispatch(exits, "", 0, NULL, 0, &reply);
    }
    printf("%ld\n", resident() - begin);
    return 0;
}
