// What becomes of a process that touches a part of a mapped file which is not there any more.
#pragma once

#include <stddef.h>

// From now on a SIGBUS at an address of this mapping ends the process with status 1 and one line on standard error that
// names the file and the place in it. Every other SIGBUS is left to the action that was set before. For any thread.
void cohort_guard_mapping(const void *start, size_t byte_size, const char *path);

// Before the mapping is taken away.
void cohort_release_mapping(const void *start);
