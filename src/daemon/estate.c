/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/estate.h"

#include <poll.h>

#include "daemon/holder.h"
#include "daemon/store.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* Between two attempts to start a holder in place of one that died. */
#define RETRY_MS 5000u

struct handover estate_find(const char *mountpoint)
{
	struct handover pair = HANDOVER_NONE;

	if (!store_take(&pair))
		(void)holder_fetch(mountpoint, &pair);
	return pair;
}

void estate_refuse(const char *mountpoint)
{
	store_remove();
	(void)holder_quit(mountpoint);
}

static void start_holder(struct estate *e)
{
	g_autoptr(GError) error = NULL;

	e->tried_ms = sys_coarse_ms();
	if (holder_start(e->mountpoint, e->pair.fuse, e->pair.state, e->holder_seconds, &error))
		e->attending = holder_attend(e->mountpoint);
	else
		log_warning("%s", error->message);
}

unsigned estate_keep(struct estate *e, const struct handover *pair, unsigned stored, bool held)
{
	e->pair = *pair;
	e->stored = stored == 2 ? stored : store_put(pair->fuse, pair->state);
	if (held && e->holder_seconds > 0)
		e->attending = holder_attend(e->mountpoint);
	if (e->attending >= 0)
		return e->stored;
	/* One that holds what is over. */
	(void)holder_quit(e->mountpoint);
	if (e->holder_seconds > 0)
		start_holder(e);
	return e->stored;
}

int estate_fd(const struct estate *e)
{
	return e->attending;
}

void estate_run(struct estate *e)
{
	struct pollfd p = { .fd = e->attending, .events = POLLIN };

	if (e->attending >= 0 && poll(&p, 1, 0) == 1)
		fd_close(&e->attending);
	if (e->attending < 0 && e->holder_seconds > 0 && sys_coarse_ms() - e->tried_ms > RETRY_MS)
		start_holder(e);
}

bool estate_has_heir(const struct estate *e, const struct host *host, int signal)
{
	/* SIGINT is somebody's who means it; SIGTERM is how services and pods are restarted, too. */
	if (signal != SIGTERM)
		return false;
	return e->attending >= 0 || (e->stored > 0 && store_has_heir(host));
}

void estate_leave(struct estate *e)
{
	fd_close(&e->attending);
}

void estate_end(struct estate *e)
{
	estate_leave(e);
	if (e->stored > 0)
		store_remove();
	(void)holder_quit(e->mountpoint);
}
