#ifndef COHORT_CSOCKETS_H
#define COHORT_CSOCKETS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* Linux calls that Swift's view of the C library leaves out, as it is compiled without _GNU_SOURCE. Each returns what
   the call returns and leaves errno as the call does, unless it says otherwise. */

/* accept4 of a nonblocking descriptor that no child process inherits. */
int cohort_accept(int listener, struct sockaddr *address, socklen_t *length);

/* An eventfd that starts at zero, nonblocking, that no child process inherits. */
int cohort_event(void);

/* ppoll without a signal mask; a negative number of nanoseconds waits without end. */
int cohort_poll(struct pollfd *entries, unsigned long count, int64_t nanoseconds);

/* A memfd of so many bytes, which nobody can make shorter or longer and no child process inherits. EFBIG where the
   process's files may not be so long, instead of the signal that would end it. */
int cohort_memory(size_t byte_count);

/* Whether a file cannot become shorter: 1 or 0, and 0 for what is no memfd. */
int cohort_keeps_size(int file);

/* A word of memory that two processes share: what the other wrote before it stored a value is seen once that is. */
uint64_t cohort_load(const uint64_t *word);
void cohort_store(uint64_t *word, uint64_t value);

#endif
