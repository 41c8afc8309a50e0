/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/sys.h"

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

static ssize_t pread_retry(int fd, char *buf, size_t size, size_t offset)
{
	ssize_t n;

	do
		n = pread(fd, buf, size, (off_t)offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t fd_read(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = pread_retry(fd, buf + len, size - 1 - len, len);

		if (n < 0)
			return n;
		if (n == 0) {
			buf[len] = '\0';
			return (ssize_t)len;
		}
		len += (size_t)n;
	}
	return -EFBIG;
}

ssize_t fd_read_once(int fd, char *buf, size_t size)
{
	ssize_t n = pread_retry(fd, buf, size - 1, 0);

	if (n < 0)
		return n;
	if ((size_t)n == size - 1)
		return -EFBIG;
	buf[n] = '\0';
	return n;
}

ssize_t fd_read_at(int dirfd, const char *path, char *buf, size_t size)
{
	AUTO_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd_read(fd, buf, size);
}

ssize_t fd_read_by(int fd, char *buf, size_t size, uint64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = sys_coarse_ms();
		ssize_t n;

		if (now >= deadline_ms || poll(&p, 1, (int)(deadline_ms - now)) == 0)
			return -ETIMEDOUT;
		n = read(fd, buf, size);
		if (n >= 0)
			return n;
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

void fd_make_room(int fd, unsigned n)
{
	int last = fcntl(fd, F_DUPFD_CLOEXEC, (int)n - 1);

	fd_close(&last);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a < *(const int *)b ? -1 : *(const int *)a > *(const int *)b;
}

static void close_range_of(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	/* Before Linux 5.9: as many as there are at the most, but not for minutes. */
	last = last < 1u << 16 ? last : 1u << 16;
	for (unsigned fd = first; fd <= last; fd++)
		close((int)fd);
}

void fd_close_others(int *keep, size_t n)
{
	int first = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(*keep), compare);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < first)
			continue;
		close_range_of((unsigned)first, (unsigned)keep[i] - 1);
		first = keep[i] + 1;
	}
	close_range_of((unsigned)first, INT_MAX);
}

int fd_write_at(int dirfd, const char *path, const char *text)
{
	AUTO_FD int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}
