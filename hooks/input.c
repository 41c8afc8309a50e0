/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/input.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fail.h"
#include "util/fd.h"
#include "util/sys.h"

/* More than a disk needs; poll never waits for a regular file. */
#define FILE_MS 10000u
#define STEP    ((size_t)16 << 10)

bool input_read(int fd, size_t max, unsigned timeout_ms, struct input *ret, GError **error)
{
	uint64_t deadline_ms = sys_coarse_ms() + timeout_ms;
	g_autofree char *text = g_malloc(STEP);
	size_t len = 0, size = STEP;

	for (;;) {
		ssize_t n = fd_read_by(fd, text + len, size - 1 - len, deadline_ms);

		if (n < 0)
			return fail(error, (int)-n, "it cannot be read");
		if (n == 0)
			break;
		len += (size_t)n;
		if (len > max)
			return fail(error, EFBIG, "it has more than %zu bytes", max);
		if (size - len < STEP)
			text = g_realloc(text, size *= 2);
	}
	text[len] = '\0';
	*ret = (struct input){ .text = g_steal_pointer(&text), .len = len };
	return true;
}

bool input_file(int dir, const char *path, struct input *ret, GError **error)
{
	/* A fifo in its place would wait for a writer. */
	AUTO_FD int fd = openat(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(error, errno, "it cannot be opened");
	if (!S_ISREG(st.st_mode))
		return fail(error, EINVAL, "it is no regular file");
	return input_read(fd, INPUT_MAX, FILE_MS, ret, error);
}

void input_clear(struct input *input)
{
	g_free(input->text);
	*input = (struct input){ 0 };
}
