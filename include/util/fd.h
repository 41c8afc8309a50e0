/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Owned file descriptors, and whole reads of the kernel's small files. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *@fd when it is one and makes it -1; errno is kept. */
void fd_close(int *fd);

/* An owner: AUTO_FD int fd = openat(…); closed at the end of its scope. */
#define AUTO_FD __attribute__((cleanup(fd_close)))

/* Gives the descriptor away: returns *@fd and leaves -1. */
static inline int fd_steal(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/*
 * Read a file of the kernel from its beginning to its end into @buf and end it with a NUL (so at
 * most @size - 1 bytes are taken). @fd may be kept open for the next call: the kernel makes the
 * text anew for a read at offset 0.
 *
 * Returns the length, -EFBIG when the file does not fit, or what read says (-ENODEV: the cgroup
 * that the file belongs to is gone; -ESRCH: the process is).
 */
ssize_t fd_read(int fd, char *buf, size_t size);

/*
 * The same, for a file that the kernel gives whole in one read (every single-record file of procfs
 * and cgroupfs, as long as @buf is big enough): spares the read that finds the end.
 */
ssize_t fd_read_once(int fd, char *buf, size_t size);

/* Open @path below @dirfd, fd_read() it, close. Returns as fd_read(), or what openat says. */
ssize_t fd_read_at(int dirfd, const char *path, char *buf, size_t size);

/*
 * read(2) from a pipe, a socket or a terminal, but not beyond @deadline_ms (sys_coarse_ms()). What
 * read says, or -ETIMEDOUT, or -errno.
 */
ssize_t fd_read_by(int fd, char *buf, size_t size, uint64_t deadline_ms);

/* Write @text to @path below @dirfd, which is there, in one write. 0 or -errno. */
int fd_write_at(int dirfd, const char *path, const char *text);

/*
 * Have the kernel's table of our descriptors grow to @n now, while there is one thread. With several
 * threads, each time that the table doubles, all that open a file wait for a grace period of RCU
 * (some 10 ms). No harm if it cannot. @fd: any that is open.
 */
void fd_make_room(int fd, unsigned n);

/* Close all descriptors from 3 on but the @n of @keep, which is sorted on the way. */
void fd_close_others(int *keep, size_t n);
