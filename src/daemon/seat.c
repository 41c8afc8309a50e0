/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/seat.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "daemon/estate.h"
#include "daemon/handshake.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* What the record says of us. */
static int sign(struct seat *s, const struct host *host)
{
	struct keeper_record *record = &s->shared.header->record;

	record->keeper = getpid();
	record->worker = 0;
	return host_self_exe_path(host, record->executable, sizeof(record->executable));
}

static bool make_memory(struct seat *s, const struct host *host, GError **error)
{
	unsigned n_cpus;
	int r = host_possible_cpus(host, &n_cpus);

	if (r < 0)
		return fail(error, -r, "cannot tell how many cpus this host has");
	r = shared_create(n_cpus, &s->shared);
	if (r < 0)
		return fail(error, -r, "cannot make the memory that outlives a worker");
	s->shared.header->record.mounted_ms = sys_boottime_ns() / 1000000;
	r = sign(s, host);
	return r == 0 || fail(error, -r, "cannot tell where our own executable lies");
}

/* In place of a keeper that died, or of a former binary: its worker may serve. */
static bool take_over(struct seat *s, const struct handed *h, GError **error)
{
	const int fds[] = { h->fuse, h->shared, h->lock, h->control };
	int32_t starter = h->peer;
	_Atomic int32_t *keeper;
	int r;

	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		if (fds[i] >= 0)
			(void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	s->fuse = h->fuse;
	s->mountpoint.lock = h->lock;
	s->served = s->inherited = true;
	r = shared_resume(h->shared, &s->shared);
	if (r < 0)
		return fail(error, -r, "cannot take over from a former keeper");
	keeper = &s->shared.header->record.keeper;
	if (atomic_load(keeper) == getpid()) /* of a former binary, or one that stood by */
		return true;
	if (!atomic_compare_exchange_strong(keeper, &starter, getpid()))
		return fail(error, EEXIST, "there is another keeper already");
	return true;
}

/* A new memory for a mount whose own is of another version. */
static int replace_memory(struct seat *s, const struct host *host, int state)
{
	unsigned n_cpus;
	int r = host_possible_cpus(host, &n_cpus);

	if (r == 0)
		r = shared_replace(state, n_cpus, &s->shared);
	if (r < 0)
		return r;
	/* Rather an error than readers that wait for ever. */
	if (s->shared.header->lost && !handshake_can_resend(s->shared.header))
		return -EPROTO;
	s->shared.header->record.mounted_ms = sys_boottime_ns() / 1000000;
	log_info("going on with the mount of another version%s",
		 s->shared.header->lost ? ", the kernel asks again for what was in hand" : "");
	return 0;
}

/* The memory that was kept, or, when another version made it, one in its place. */
static int inherit_memory(struct seat *s, const struct host *host, struct handover *pair)
{
	int r = shared_resume(pair->state, &s->shared);

	s->inherited = r == 0;
	if (r == 0)
		pair->state = -1; /* given away */
	return r == -EPROTO ? replace_memory(s, host, pair->state) : r;
}

/* On with the mount of an earlier instance, whose descriptors somebody kept. */
static bool inherit(struct seat *s, const char *mountpoint, const struct host *host,
		    struct handover *pair, GError **error)
{
	int r;

	if (!mount_resume(host, mountpoint, &s->mountpoint, error))
		return false;
	r = inherit_memory(s, host, pair);
	if (r == 0)
		r = sign(s, host);
	if (r < 0)
		return fail(error, -r, "cannot go on with the mount of an earlier instance");
	s->fuse = fd_steal(&pair->fuse);
	s->served = true;
	return true;
}

/* Returns true if there is no mount to go on with either; then .fuse is -1. */
static bool try_to_inherit(struct seat *s, const char *mountpoint, const struct host *host,
			   struct handover *found, GError **error)
{
	AUTO_HANDOVER struct handover pair = handover_steal(found);
	g_autoptr(GError) why = NULL;

	if (pair.fuse < 0 || inherit(s, mountpoint, host, &pair, &why))
		return true;
	if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_EXIST)) { /* somebody serves it */
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	log_warning("%s: mounting anew", why->message);
	estate_refuse(mountpoint);
	s->served = true; /* what lies there is no leftover of a failed start */
	seat_clear(s, mountpoint);
	return true;
}

bool seat_take(struct seat *s, const struct config *c, const struct host *host,
	       struct handover *found, GError **error)
{
	if (c->role == ROLE_KEEPER)
		return take_over(s, &c->handed, error);
	if (!try_to_inherit(s, c->mountpoint, host, found, error))
		return false;
	return s->fuse >= 0 ||
	       (make_memory(s, host, error) &&
		mount_prepare(host, c->mountpoint, c->nonempty, &s->mountpoint, error));
}

bool seat_mount(struct seat *s, const struct config *c, GError **error)
{
	if (s->fuse >= 0)
		return true;
	return mount_fuse(c->mountpoint, c->mount_options, &s->fuse, error) &&
	       handshake_answer(s->fuse, s->shared.header, error);
}

struct handed seat_handed(const struct seat *s)
{
	return (struct handed){
		.fuse = s->fuse, .shared = s->shared.fd, .lock = s->mountpoint.lock, .control = -1
	};
}

void seat_clear(struct seat *s, const char *mountpoint)
{
	fd_close(&s->fuse);
	shared_clear(&s->shared);
	mount_give_up(mountpoint, &s->mountpoint, s->served);
	*s = SEAT_NONE;
}
