#define _GNU_SOURCE
#include "CSockets.h"

#include <stddef.h>
#include <sys/eventfd.h>
#include <time.h>

int cohort_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int cohort_event(void) {
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

int cohort_poll(struct pollfd *entries, unsigned long count, int64_t nanoseconds) {
    struct timespec timeout = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return ppoll(entries, (nfds_t)count, nanoseconds < 0 ? NULL : &timeout, NULL);
}
