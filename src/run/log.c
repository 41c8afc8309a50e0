/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/fail.h"
#include "util/fd.h"

#define NEWER "log"
#define OLDER "log.old"

#define PART_SIZE ((uint64_t)8 << 20)

#define LOOK_US 100000

static int open_folder(const char *data)
{
	return open(data, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

void log_open(const char *data, struct log *ret)
{
	*ret = (struct log){ .dir = open_folder(data), .fd = -1 };
}

void log_close(struct log *log)
{
	fd_close(&log->dir);
	fd_close(&log->fd);
}

/* An empty newer part. */
static bool begin(struct log *log)
{
	fd_close(&log->fd);
	if (renameat(log->dir, NEWER, log->dir, OLDER) < 0 && errno != ENOENT)
		return false;
	log->fd = openat(log->dir, NEWER, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	log->size = 0;
	return log->fd >= 0;
}

void log_write(struct log *log, const char *text, size_t len)
{
	ssize_t n;

	if (log->dir < 0)
		return;
	if ((log->fd >= 0 && log->size + len <= PART_SIZE) || begin(log)) {
		n = write(log->fd, text, len);
		log->size += len;
		if (n >= 0)
			return;
	}
	log_close(log);
}

static int open_part(int dir, const char *name)
{
	return openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

static bool is_same(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino;
}

/* What is new in it. */
static bool copy(int fd, GError **error)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (fwrite(buf, 1, (size_t)n, stdout) != (size_t)n)
			return run_fail(error, errno, "cannot write the log");
	if (n < 0)
		return run_fail(error, errno, "cannot read the log");
	return fflush(stdout) == 0 || run_fail(error, errno, "cannot write the log");
}

/* The part that has taken the place of the one at @fd; -1: none. */
static int open_next(int dir, int fd)
{
	AUTO_FD int newer = open_part(dir, NEWER);

	return is_same(newer, fd) ? -1 : fd_steal(&newer);
}

bool log_print(const char *data, bool (*is_more)(const void *arg), const void *arg, GError **error)
{
	AUTO_FD int dir = open_folder(data);
	AUTO_FD int fd = open_part(dir, NEWER);
	AUTO_FD int old = open_part(dir, OLDER);

	if (old >= 0 && !is_same(old, fd) && !copy(old, error))
		return false;
	for (;;) {
		/* Both asked first: what it wrote before is read behind it. */
		bool more = is_more && is_more(arg);
		AUTO_FD int next = open_next(dir, fd);

		if (fd >= 0 && !copy(fd, error))
			return false;
		if (next < 0 && !more)
			return true;
		if (next < 0) {
			g_usleep(LOOK_US);
			continue;
		}
		fd_close(&fd);
		fd = fd_steal(&next);
	}
}
