/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/handover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "util/fd.h"

bool handover_is_alive(int fuse)
{
	struct pollfd p = { .fd = fuse };
	struct stat st;

	/* The kernel says POLLERR once the connection is gone (and before there is one). */
	return fuse >= 0 && fstat(fuse, &st) == 0 && S_ISCHR(st.st_mode) && poll(&p, 1, 0) == 0;
}

bool handover_is_good(const struct handover *h)
{
	struct stat st;

	return handover_is_alive(h->fuse) && h->state >= 0 && fstat(h->state, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int move(int *fd, int min)
{
	int to = fcntl(*fd, F_DUPFD_CLOEXEC, min);

	if (to < 0)
		return -errno;
	fd_close(fd);
	*fd = to;
	return 0;
}

int handover_move(struct handover *h, int min)
{
	int r = move(&h->fuse, min);

	if (r == 0)
		r = move(&h->state, min);
	if (r < 0)
		handover_clear(h);
	return r;
}

void handover_clear(struct handover *h)
{
	fd_close(&h->fuse);
	fd_close(&h->state);
}
