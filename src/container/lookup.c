/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/container.h"

#include <errno.h>

#include "container/table.h"
#include "util/scratch.h"

/* 17 hierarchies, paths of at most PATH_MAX. */
#define CGROUP_TEXT_SIZE (17 * (4096 + 64))

static int resolve(struct container_table *t, pid_t pid, const struct container_key *key,
		   const char *own, struct container **ret)
{
	struct identity id;
	int r;

	host_slow(table_source(t)->host);
	r = identity_resolve(table_source(t), pid, key->kind, key->ns_ino, own, &id);
	return r < 0 ? r : table_publish(t, &id, ret);
}

/* Finds what the reader is known by. Returns 0, CONTAINER_E_HOST or -errno. */
static int make_key(struct container_table *t, pid_t pid, struct container_key *key,
		    const char **ret_own)
{
	const struct identity_source *src = table_source(t);
	static _Thread_local char *thread_buf;
	char *buf = scratch(&thread_buf, CGROUP_TEXT_SIZE);
	struct reader_place place;
	int r = readers_place(table_readers(t), pid, src->own_ns[HOST_NS_CGROUP], buf,
			      CGROUP_TEXT_SIZE, &place);

	if (r < 0)
		return r;
	*ret_own = place.cgroups;
	if (place.cgroupns != src->own_ns[HOST_NS_CGROUP])
		*key = (struct container_key){ .kind = IDENTITY_CGROUPNS,
					       .ns_ino = place.cgroupns,
					       .text = "" };
	else if (place.pidns != src->own_ns[HOST_NS_PID])
		*key = (struct container_key){ .kind = IDENTITY_PIDNS,
					       .ns_ino = place.pidns,
					       .text = "" };
	else if (identity_at_root(src->layout, place.cgroups))
		return CONTAINER_E_HOST;
	else
		*key = (struct container_key){ .kind = IDENTITY_CGROUP, .text = place.cgroups };
	return 0;
}

static int find(struct container_table *t, pid_t pid, bool again, struct container **ret)
{
	struct container_key key;
	const char *own;
	int r = make_key(t, pid, &key, &own);

	if (r != 0)
		return r;
	*ret = table_find(t, &key, own);
	if (key.kind == IDENTITY_PIDNS && !own) {
		if (*ret)
			return 0;
		/* That it was with its init lately is no help: the container is not known now. */
		readers_unsettle(table_readers(t), pid);
		return again ? -EAGAIN : find(t, pid, true, ret);
	}
	if (key.kind == IDENTITY_PIDNS && *ret) {
		readers_settle(table_readers(t), pid);
	} else if (key.kind == IDENTITY_PIDNS) {
		/* Not with its init: then by its own cgroup, in that namespace. */
		struct container_key by_cgroup = { .kind = IDENTITY_CGROUP,
						   .ns_ino = key.ns_ino,
						   .text = own };

		*ret = table_find(t, &by_cgroup, own);
	}
	return *ret ? 0 : resolve(t, pid, &key, own, ret);
}

int container_lookup(struct container_table *t, pid_t pid, struct container **ret)
{
	int r = pid > 0 ? find(t, pid, false, ret) : CONTAINER_E_HOST;

	return r == -ESRCH || r == -ENOENT ? CONTAINER_E_HOST : r;
}

bool container_is_host_process(const struct container_table *t, pid_t pid)
{
	const struct identity_source *src = table_source(t);
	uint64_t pidns, cgroupns;

	return host_pid_ns(src->host, pid, HOST_NS_PID, &pidns) == 0 &&
	       host_pid_ns(src->host, pid, HOST_NS_CGROUP, &cgroupns) == 0 &&
	       pidns == src->own_ns[HOST_NS_PID] && cgroupns == src->own_ns[HOST_NS_CGROUP];
}

int64_t container_timens_offset(const struct container_table *t, pid_t pid)
{
	const struct identity_source *src = table_source(t);
	uint64_t ino;
	int64_t offset;

	if (readers_timens(table_readers(t), pid, &ino) < 0 || ino == src->own_ns[HOST_NS_TIME] ||
	    host_pid_timens(src->host, pid, &offset) < 0)
		return 0;
	return offset;
}
