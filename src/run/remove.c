/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/remove.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

struct removal {
	int top;          /* folders further down are moved up here before they are emptied */
	unsigned counter; /* for the names that they get there */
	int result;       /* the first error */
};

static void note(struct removal *r, int err)
{
	if (r->result == 0)
		r->result = -err;
}

/* Moves the folder up, where the next round finds it. The name is one that nobody has there. */
static void lift(struct removal *r, int dir, const char *name)
{
	char fresh[32];

	do
		(void)snprintf(fresh, sizeof(fresh), ".lifted-%u", r->counter++);
	while (faccessat(r->top, fresh, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
	if (renameat(dir, name, r->top, fresh) < 0)
		note(r, errno);
}

/* Calls @fn for each entry of the folder at @fd, which is given away. */
static void each(struct removal *r, int fd,
		 void (*fn)(struct removal *r, int dir, const char *name))
{
	DIR *dir = fdopendir(fd);
	const struct dirent *e;

	if (!dir) {
		note(r, errno);
		close(fd);
		return;
	}
	while ((e = readdir(dir)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			fn(r, dirfd(dir), e->d_name);
	closedir(dir);
}

/* An entry of a folder that lies in the top one. */
static void drop_inner(struct removal *r, int dir, const char *name)
{
	if (unlinkat(dir, name, 0) == 0)
		return;
	if (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return;
	if (errno == ENOTEMPTY)
		lift(r, dir, name);
	else
		note(r, errno);
}

/* An entry of the top folder. Where something is mounted we do not go: it is not ours. */
static void drop_outer(struct removal *r, int dir, const char *name)
{
	int fd;

	if (unlinkat(dir, name, 0) == 0)
		return;
	if (errno == EISDIR && unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return;
	if (errno != ENOTEMPTY) {
		note(r, errno);
		return;
	}
	fd = sys_open_child(dir, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		note(r, -fd);
		return;
	}
	each(r, fd, drop_inner);
	(void)unlinkat(dir, name, AT_REMOVEDIR);
}

int remove_tree(int dirfd, const char *name)
{
	AUTO_FD int top = sys_open_child(dirfd, name, O_RDONLY | O_DIRECTORY);
	struct removal r = { .top = top };

	if (top < 0)
		return top == -ENOENT ? 0 : top;
	/* Each round empties the folders of the top one and lifts what was in them: as many rounds
	 * as it is deep, unless something cannot be removed. */
	while (unlinkat(dirfd, name, AT_REMOVEDIR) < 0) {
		int fd;

		if (errno != ENOTEMPTY)
			return -errno;
		if (r.result < 0)
			return r.result;
		fd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
		each(&r, fd, drop_outer);
	}
	return 0;
}
