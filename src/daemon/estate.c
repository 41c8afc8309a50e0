/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/estate.h"

#include <poll.h>
#include <unistd.h>

#include "daemon/holder.h"
#include "daemon/store.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* Between two attempts to start a holder in place of one that died. */
#define RETRY_MS 5000u

/* It makes a few directories, with whatever else goes on in the hierarchies. */
#define SETTLE_MS 5000u

struct handover estate_find(struct estate *e)
{
	struct handover pair = HANDOVER_NONE;

	if (store_take(&pair))
		e->found = ESTATE_IN_STORE;
	else if (holder_fetch(e->mountpoint, &pair) == 0)
		e->found = ESTATE_WITH_HOLDER;
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
	if (!holder_start(e->mountpoint, e->pair.fuse, e->pair.state, e->holder_seconds,
			  &e->starting, &error))
		log_warning("%s", error->message);
}

/* The holder that was started is ready, or it died, or takes too long. */
static void hear_of_holder(struct estate *e)
{
	struct pollfd p = { .fd = e->starting, .events = POLLIN };
	bool heard = poll(&p, 1, 0) == 1;
	char byte;

	if (!heard && sys_coarse_ms() - e->tried_ms <= SETTLE_MS)
		return;
	if (heard && read(e->starting, &byte, 1) == 1)
		e->attending = holder_attend(e->mountpoint);
	if (e->attending < 0)
		log_warning("the holder of %s does not get ready", e->mountpoint);
	fd_close(&e->starting);
}

unsigned estate_keep(struct estate *e, const struct handover *pair, bool stored, bool held)
{
	e->pair = *pair;
	e->stored = stored ? 2 : store_put(pair->fuse, pair->state);
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

bool estate_is_settled(const struct estate *e)
{
	return e->starting < 0;
}

int estate_fd(const struct estate *e)
{
	return e->starting >= 0 ? e->starting : e->attending;
}

void estate_run(struct estate *e)
{
	struct pollfd p = { .fd = e->attending, .events = POLLIN };

	if (e->starting >= 0)
		hear_of_holder(e);
	else if (e->attending >= 0 && poll(&p, 1, 0) == 1)
		fd_close(&e->attending);
	if (e->attending < 0 && e->starting < 0 && e->holder_seconds > 0 &&
	    sys_coarse_ms() - e->tried_ms > RETRY_MS)
		start_holder(e);
}

bool estate_has_heir(const struct estate *e, const struct host *host, int signal)
{
	/*
	 * SIGINT is somebody's who means it; SIGTERM is how services and pods are restarted, too.
	 */
	if (signal != SIGTERM)
		return false;
	return e->attending >= 0 || (e->stored > 0 && store_has_heir(host));
}

void estate_leave(struct estate *e)
{
	fd_close(&e->starting);
	fd_close(&e->attending);
}

void estate_end(struct estate *e)
{
	estate_leave(e);
	if (e->stored > 0)
		store_remove();
	(void)holder_quit(e->mountpoint);
}
