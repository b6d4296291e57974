#define _GNU_SOURCE
#include "CThreads.h"

#include <errno.h>
#include <sched.h>

enum { SETS = 8 };  // of 1024 processors each: more than Linux supports

size_t cohort_allowed_processors(uint32_t *numbers, size_t capacity) {
    cpu_set_t sets[SETS];
    if (sched_getaffinity(0, sizeof sets, sets) != 0) return 0;
    size_t count = 0;
    for (uint32_t processor = 0; processor < SETS * CPU_SETSIZE && count < capacity; processor++)
        if (CPU_ISSET_S(processor, sizeof sets, sets)) numbers[count++] = processor;
    return count;
}

int cohort_keep_caller(const uint32_t *processors, size_t count) {
    cpu_set_t sets[SETS];
    CPU_ZERO_S(sizeof sets, sets);
    for (size_t i = 0; i < count; i++) CPU_SET_S(processors[i], sizeof sets, sets);
    return sched_setaffinity(0, sizeof sets, sets) == 0 ? 0 : errno;
}
