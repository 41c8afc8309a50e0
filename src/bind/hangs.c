/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/hangs.h"

#include <glib.h>
#include <stdint.h>
#include <sys/stat.h>

#include "host/pid.h"
#include "host/pidns.h"
#include "util/fd.h"

/* One may be slow, or a few of a container that is. */
#define OFTEN 4u

/* Nobody nests pid namespaces deeper: MAX_PID_NS_LEVEL. */
#define MOST_LEVELS 32

struct hangs {
	const struct host *host;
	uint64_t own;       /* the host's pid namespace */
	GHashTable *counts; /* by outermost pid namespace */
};

struct hangs *hangs_new(const struct host *host)
{
	struct hangs *hangs = g_new0(struct hangs, 1);

	hangs->host = host;
	hangs->counts = g_hash_table_new(NULL, NULL);
	(void)host_pid_ns(host, 0, HOST_NS_PID, &hangs->own);
	return hangs;
}

struct hangs *hangs_free(struct hangs *hangs)
{
	g_hash_table_unref(hangs->counts);
	g_free(hangs);
	return NULL;
}

/* 0: unknown. */
static uint64_t find_outermost(const struct hangs *hangs, pid_t pid)
{
	AUTO_FD int ns = host_pid_ns_open(hangs->host, pid, HOST_NS_PID);
	uint64_t found = 0;
	struct stat st;

	for (int level = 0; ns >= 0 && level <= MOST_LEVELS && fstat(ns, &st) == 0; level++) {
		int parent;

		if (st.st_ino == hangs->own)
			return found ? found : hangs->own;
		found = st.st_ino;
		parent = host_pidns_parent(ns);
		fd_close(&ns);
		ns = parent;
	}
	return 0;
}

static unsigned count_of(const struct hangs *hangs, uint64_t ns)
{
	return GPOINTER_TO_UINT(g_hash_table_lookup(hangs->counts, GSIZE_TO_POINTER(ns)));
}

void hangs_add(struct hangs *hangs, pid_t pid)
{
	uint64_t ns = find_outermost(hangs, pid);

	if (ns)
		g_hash_table_insert(hangs->counts, GSIZE_TO_POINTER(ns),
				    GUINT_TO_POINTER(count_of(hangs, ns) + 1));
}

bool hangs_often(const struct hangs *hangs, pid_t pid)
{
	if (g_hash_table_size(hangs->counts) == 0)
		return false;
	return count_of(hangs, find_outermost(hangs, pid)) >= OFTEN;
}
