// What a team of threads needs of the system and the C library does not hand to Swift.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The numbers of the processors this process may run on, ascending. Returns how many were written; 0 if the system does
// not tell.
size_t cohort_allowed_processors(uint32_t *numbers, size_t capacity);

// Keeps the calling thread, and those that it starts, on some processors. Returns 0 or an error number.
int cohort_keep_caller(const uint32_t *processors, size_t count);

// Has pages that the caller, or a thread that it starts from now on, is the first to touch come from each of some NUMA
// nodes by turns. Returns false where somebody has chosen otherwise, or the system refuses.
bool cohort_interleave_pages(const uint32_t *nodes, size_t count);

// Has such pages come from the node of the thread's processor.
void cohort_reset_page_policy(void);

// Tells the processor that this thread spins.
static inline void cohort_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __builtin_arm_yield();
#endif
}

// Asks for memory at an address, which need not exist, in the second-level cache. Does not wait for it.
static inline void cohort_prefetch(uintptr_t address, size_t byte_count) {
    for (size_t at = 0; at < byte_count; at += 64) __builtin_prefetch((const void *)(address + at), 0, 2);
}
