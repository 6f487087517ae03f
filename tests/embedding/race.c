/* Many threads make the first call at once, and go on. */
#include <pthread.h>
#include <stdatomic.h>
#include "harness.h"

enum { THREADS = 16, CALLS = 500 };
static pthread_barrier_t barrier;
static uint64_t handle;
static atomic_int good;

static void *caller(void *unused)
{
    gateway_reply reply = {0};
    (void)unused;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < CALLS; i++)
        good += dispatch(handle, "", 0, NULL, 0, &reply) == GATEWAY_OK && reply.message_len == 10;
    gateway.free(&reply);
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[THREADS];
    gateway_reply reply = {0};
    (void)argc;
    open_library(argv);
    if (gateway.start(argv[3], &host, &reply) != GATEWAY_OK)
        return 1;
    load(argv[4]);
    handle = bind_hook("add");
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d of %d\n", good, THREADS * CALLS);
    return 0;
}
