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
	int r = identity_resolve(table_source(t), pid, key->kind, key->ns_ino, own, &id);

	return r < 0 ? r : table_publish(t, &id, ret);
}

/* Finds what the reader is known by. Returns 0, CONTAINER_E_HOST or -errno. */
static int make_key(struct container_table *t, pid_t pid, struct container_key *key,
		    const char **ret_own)
{
	const struct identity_source *src = table_source(t);
	static _Thread_local char *thread_buf;
	char *own = scratch(&thread_buf, CGROUP_TEXT_SIZE);
	uint64_t cgroupns, pidns;
	ssize_t n;
	int r = host_pid_ns(src->host, pid, HOST_NS_CGROUP, &cgroupns);

	*ret_own = NULL;
	if (r == 0 && cgroupns != src->own_ns[HOST_NS_CGROUP]) {
		*key = (struct container_key){ .kind = IDENTITY_CGROUPNS,
					       .ns_ino = cgroupns,
					       .text = "" };
		return 0;
	}
	r = host_pid_ns(src->host, pid, HOST_NS_PID, &pidns);
	if (r < 0)
		return r;
	n = host_pid_cgroup(src->host, pid, own, CGROUP_TEXT_SIZE);
	if (n < 0)
		return (int)n;
	*ret_own = own;
	if (pidns != src->own_ns[HOST_NS_PID])
		*key = (struct container_key){ .kind = IDENTITY_PIDNS,
					       .ns_ino = pidns,
					       .text = "" };
	else if (identity_at_root(src->layout, own))
		return CONTAINER_E_HOST;
	else
		*key = (struct container_key){ .kind = IDENTITY_CGROUP, .text = own };
	return 0;
}

int container_lookup(struct container_table *t, pid_t pid, struct container **ret)
{
	struct container *ct;
	struct container_key key;
	const char *own;
	int r;

	if (pid <= 0)
		return CONTAINER_E_HOST;
	r = make_key(t, pid, &key, &own);
	if (r == 0) {
		ct = table_find(t, &key, own);
		if (!ct && key.kind == IDENTITY_PIDNS) {
			/* Not with its init: then by its own cgroup, in that namespace. */
			struct container_key by_cgroup = { .kind = IDENTITY_CGROUP,
							   .ns_ino = key.ns_ino,
							   .text = own };

			ct = table_find(t, &by_cgroup, own);
		}
		r = ct ? 0 : resolve(t, pid, &key, own, &ct);
	}
	if (r == -ESRCH || r == -ENOENT || r == -ENODEV)
		return CONTAINER_E_HOST;
	if (r == 0)
		*ret = ct;
	return r;
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

	if (host_pid_ns(src->host, pid, HOST_NS_TIME, &ino) < 0 ||
	    ino == src->own_ns[HOST_NS_TIME] || host_pid_timens(src->host, pid, &offset) < 0)
		return 0;
	return offset;
}
