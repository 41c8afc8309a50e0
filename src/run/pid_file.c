/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/fail.h"
#include "util/fd.h"

static char *text_of(uint64_t pid)
{
	return g_strdup_printf("%" PRIu64 "\n", pid);
}

bool pid_file_write(const char *path, uint64_t pid, GError **error)
{
	g_autofree char *text = text_of(pid);
	struct stat st;

	/* It is put in the place of what is there: /dev/null is not to become a file. */
	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
		return run_fail(error, 0, "--pid-file: '%.256s' is no regular file", path);
	return g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0644,
					error);
}

void pid_file_remove(const char *path, uint64_t pid)
{
	g_autofree char *ours = text_of(pid);
	AUTO_FD int fd = -1;
	struct stat st;
	char text[32];

	if (!path || !pid || lstat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd >= 0 && fd_read(fd, text, sizeof(text)) >= 0 && strcmp(text, ours) == 0)
		(void)unlink(path);
}
