#define _GNU_SOURCE
#include "CSockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

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

int cohort_memory(size_t byte_count) {
    struct rlimit longest;
    if (getrlimit(RLIMIT_FSIZE, &longest) == 0 && longest.rlim_cur < byte_count) {
        errno = EFBIG;
        return -1;
    }
    int file = memfd_create("cohort", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (file < 0) return file;
    int sealed = ftruncate(file, (off_t)byte_count);
    if (sealed == 0) sealed = fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (sealed == 0) return file;
    int number = errno;
    close(file);
    errno = number;
    return -1;
}

int cohort_keeps_size(int file) {
    int seals = fcntl(file, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) != 0;
}

uint64_t cohort_load(const uint64_t *word) {
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

void cohort_store(uint64_t *word, uint64_t value) {
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}
