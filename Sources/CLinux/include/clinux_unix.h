/* clinux_unix.h: unix sockets by folder and name.
 *
 * A socket address holds 107 bytes of path; a job directory may be deeper. The folder is therefore given as a descriptor
 * (O_PATH is enough), and the address goes through /proc/self/fd. Errors are returned as -errno.
 */
#ifndef CLINUX_UNIX_H
#define CLINUX_UNIX_H

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* socket, bind, chmod 0600, listen: cloexec, nonblock. Whatever has the name before is unlinked. Nobody can connect before
 * the mode is set, for only then does it listen. The descriptor, or -errno. */
int clinux_unix_listen(int folder, const char *name, int backlog);
/* socket, connect: cloexec, nonblock. The descriptor, or -errno; -EAGAIN when the backlog of the listener is full, and has been for as long
 * as to wait for it (0: not at all). */
int clinux_unix_connect(int folder, const char *name, int wait_milliseconds);
/* unlinkat(folder, name). */
int clinux_unlink_at(int folder, const char *name);
/* send(MSG_NOSIGNAL | MSG_DONTWAIT): the number of bytes taken, or -errno. */
ssize_t clinux_send(int descriptor, const void *data, size_t size);
/* Waits until the descriptor can be read from or is hung up: 1, 0 when the time is over (-1: no limit), or -errno; EINTR
 * counts as 1, for the caller to look again. */
int clinux_wait_readable(int descriptor, int timeout_milliseconds);
/* Waits this long, whatever comes. */
void clinux_pause(int milliseconds);

#ifdef __cplusplus
}
#endif
#endif
