#define _GNU_SOURCE
#include "CMapping.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAPPINGS = 1024,       // several models of as many files as the largest have; more files go unguarded
    LONGEST_LINE = 4608,   // the longest path that Linux takes, and what is said about it
};

// Written under the lock; a handler reads it at any time. A start of 0 marks a free place.
struct mapping {
    _Atomic uintptr_t start;
    uintptr_t end;
    char *path;
};

static struct mapping mappings[MAPPINGS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sigaction previous;

static size_t append(char *line, size_t length, const char *text) {
    for (; *text && length < LONGEST_LINE; text++)
        line[length++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
    return length;
}

static size_t append_number(char *line, size_t length, uintptr_t number) {
    char digits[24] = {0};
    char *first = digits + sizeof digits - 1;
    do *--first = (char)('0' + number % 10);
    while (number /= 10);
    return append(line, length, first);
}

// Calls nothing but what POSIX allows in a handler.
static void report(const struct mapping *mapping, uintptr_t offset) {
    static atomic_flag taken = ATOMIC_FLAG_INIT;
    static char line[LONGEST_LINE + 1];
    // Many threads may come here at once: one speaks for all.
    while (atomic_flag_test_and_set(&taken)) pause();
    size_t length = append(line, 0, "cohort: ");
    length = append(line, length, mapping->path);
    length = append(line, length, ": cannot be read any more at byte ");
    length = append_number(line, length, offset);
    length = append(line, length, ": it was truncated or its disk failed while in use; restore it and start again");
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, length);
    (void)written;
    _exit(1);
}

static void handle(int number, siginfo_t *info, void *context) {
    (void)context;
    uintptr_t address = (uintptr_t)info->si_addr;
    // Codes above 0 are the kernel's own: others sent the signal, and there is no address.
    for (size_t i = 0; info->si_code > 0 && i < MAPPINGS; i++) {
        uintptr_t start = atomic_load(&mappings[i].start);
        if (start && start <= address && address < mappings[i].end) report(&mappings[i], address - start);
    }
    // Where the kernel sent it, the same access fails again as soon as this returns.
    sigaction(SIGBUS, &previous, NULL);
    if (info->si_code <= 0) raise(number);
}

static void install(void) {
    struct sigaction action = {.sa_sigaction = handle, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, &previous);
}

void cohort_guard_mapping(const void *start, size_t byte_size, const char *path) {
    pthread_once(&once, install);
    pthread_mutex_lock(&lock);
    size_t i = 0;
    while (i < MAPPINGS && atomic_load(&mappings[i].start)) i++;
    char *copy = i < MAPPINGS ? strdup(path) : NULL;
    if (copy) {
        mappings[i].end = (uintptr_t)start + byte_size;
        mappings[i].path = copy;
        atomic_store(&mappings[i].start, (uintptr_t)start);
    }
    pthread_mutex_unlock(&lock);
}

void cohort_release_mapping(const void *start) {
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < MAPPINGS; i++) {
        if (atomic_load(&mappings[i].start) != (uintptr_t)start) continue;
        atomic_store(&mappings[i].start, 0);
        free(mappings[i].path);
        break;
    }
    pthread_mutex_unlock(&lock);
}
