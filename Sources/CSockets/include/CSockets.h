#ifndef COHORT_CSOCKETS_H
#define COHORT_CSOCKETS_H

#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

/* Linux calls that Swift's view of the C library leaves out, as it is compiled without _GNU_SOURCE. Each returns what
   the call returns and leaves errno as the call does. */

/* accept4 of a nonblocking descriptor that no child process inherits. */
int cohort_accept(int listener, struct sockaddr *address, socklen_t *length);

/* An eventfd that starts at zero, nonblocking, that no child process inherits. */
int cohort_event(void);

/* ppoll without a signal mask; a negative number of nanoseconds waits without end. */
int cohort_poll(struct pollfd *entries, unsigned long count, int64_t nanoseconds);

#endif
