#define _GNU_SOURCE
#include "CThreads.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

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

bool cohort_interleave_pages(const uint32_t *nodes, size_t count) {
    enum { NODES = 1024, WORD = sizeof(unsigned long) * CHAR_BIT };  // as many as Linux supports
    unsigned long mask[NODES / WORD] = {0};
    int mode = MPOL_DEFAULT;
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) != 0 || mode != MPOL_DEFAULT) return false;
    for (size_t i = 0; i < count; i++)
        if (nodes[i] < NODES) mask[nodes[i] / WORD] |= 1ul << nodes[i] % WORD;
    // The system takes the number of bits for one more than there are.
    return syscall(SYS_set_mempolicy, MPOL_INTERLEAVE, mask, NODES + 1) == 0;
}

void cohort_reset_page_policy(void) { syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0); }
