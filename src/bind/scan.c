/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

#define MOST_TRIES 8u

struct scan {
	const struct host *host;
	const struct ours *ours;
	uint64_t deadline_ms;
	unsigned patience_ms;
	scan_fn *fn;
	void *arg;
	struct scan_counts *counts;
	GHashTable *tries; /* by owned texts that name a pair; MOST_TRIES: done with it */
};

static int open_at(const struct scan *s, pid_t pid, const char *name, int flags)
{
	char path[48];
	int fd;

	(void)snprintf(path, sizeof(path), "%d/%s", pid, name);
	fd = openat(host_proc_dir(s->host), path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_link(const struct scan *s, const char *path, char *buf, size_t size)
{
	ssize_t n = readlinkat(host_proc_dir(s->host), path, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* An owned name of the pair. Opening the root would ask its file system, which may hang. */
static int name_pair(const struct scan *s, pid_t pid, char **ret)
{
	g_autofree char *root = g_malloc(PATH_MAX + 1);
	char path[48], ns[64];
	int r;

	(void)snprintf(path, sizeof(path), "%d/ns/mnt", pid);
	r = read_link(s, path, ns, sizeof(ns));
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%d/root", pid);
	r = read_link(s, path, root, PATH_MAX + 1);
	if (r == -ENAMETOOLONG)
		root[0] = '\0';
	else if (r < 0)
		return r;
	*ret = g_strjoin("\n", ns, root, NULL);
	return 0;
}

/* Tells of what the process sees, if it has anything of ours. Returns 1 when that is settled. */
static int look_at_table(struct scan *s, pid_t pid)
{
	struct view_of v = { .pid = pid, .ns = -1 };
	AUTO_FD int table = open_at(s, pid, "mountinfo", O_RDONLY);
	AUTO_FD int ns = -1;
	g_autoptr(GPtrArray) bounds = NULL;
	int r;

	if (table < 0)
		return table;
	r = table_ours(table, s->ours, MIN(s->deadline_ms, sys_coarse_ms() + s->patience_ms),
		       &bounds);
	if (r < 0)
		return r;
	if (bounds->len == 0)
		return 1;
	ns = open_at(s, pid, "ns/mnt", O_RDONLY);
	if (ns < 0)
		return ns;
	v.ns = ns;
	v.bounds = bounds;
	return s->fn(&v, s->arg) ? 1 : 0;
}

/* 0 also when the pair is known, or has nothing of ours. */
static int look_at(struct scan *s, pid_t pid)
{
	g_autofree char *name = NULL;
	unsigned tries;
	int r = name_pair(s, pid, &name);

	if (r < 0)
		return r;
	tries = GPOINTER_TO_UINT(g_hash_table_lookup(s->tries, name));
	if (tries == MOST_TRIES)
		return 0;
	if (tries == 0)
		s->counts->looked_at++;
	r = look_at_table(s, pid);
	s->counts->late += r == -ETIME;
	/* It may have ended meanwhile: another process may still have the same. */
	g_hash_table_replace(s->tries, g_steal_pointer(&name),
			     GUINT_TO_POINTER(r > 0 || r == -ETIME ? MOST_TRIES : tries + 1));
	return r < 0 ? r : 0;
}

static void walk(struct scan *s, DIR *dir)
{
	const struct dirent *entry;
	uint64_t pid;

	while ((entry = readdir(dir))) {
		int r;

		if (!num_parse(entry->d_name, &pid) || pid > INT_MAX)
			continue;
		r = look_at(s, (pid_t)pid);
		if (r == -EACCES || r == -EPERM)
			s->counts->unreadable++;
		if (sys_coarse_ms() > s->deadline_ms) {
			s->counts->incomplete = true;
			return;
		}
	}
}

int scan_processes(const struct host *host, const struct ours *ours, uint64_t deadline_ms,
		   unsigned patience_ms, scan_fn *fn, void *arg, struct scan_counts *ret)
{
	struct scan s = { .host = host,
			  .ours = ours,
			  .deadline_ms = deadline_ms,
			  .patience_ms = patience_ms,
			  .fn = fn,
			  .arg = arg,
			  .counts = ret };
	int fd = openat(host_proc_dir(host), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir) {
		int r = -errno;

		fd_close(&fd);
		return r;
	}
	*ret = (struct scan_counts){ 0 };
	s.tries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	walk(&s, dir);
	g_hash_table_unref(s.tries);
	closedir(dir);
	return 0;
}
