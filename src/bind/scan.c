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

struct scan {
	const struct host *host;
	const struct ours *ours;
	uint64_t deadline_ms;
	scan_fn *fn;
	void *arg;
	struct scan_counts *counts;
	GHashTable *seen; /* of owned texts that name a pair */
	char own_ns[64];  /* "mnt:[4026531841]" */
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

/*
 * Names the pair. A root is known by its path in its namespace and by mount and inode (fdinfo);
 * fstat() would ask the file system, which may be a dead one.
 */
static int name_pair(const struct scan *s, pid_t pid, const char *ns, int root, char **ret)
{
	char path[48], info[1024];
	g_autofree char *link = g_malloc(PATH_MAX + 1);
	ssize_t n;
	int r;

	(void)snprintf(path, sizeof(path), "%d/root", pid);
	r = read_link(s, path, link, PATH_MAX + 1);
	if (r == -ENAMETOOLONG)
		link[0] = '\0';
	else if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "self/fdinfo/%d", root);
	n = fd_read_at(host_proc_dir(s->host), path, info, sizeof(info));
	if (n < 0)
		return (int)n;
	*ret = g_strjoin("\n", ns, info, link, NULL);
	return 0;
}

/* Tells of what the process sees, if it has anything of ours. */
static int look_at_table(struct scan *s, struct view_of *v)
{
	AUTO_FD int table = open_at(s, v->pid, "mountinfo", O_RDONLY);
	AUTO_FD int ns = -1;
	g_autoptr(GPtrArray) bounds = NULL;
	int r;

	if (table < 0)
		return table;
	r = table_ours(table, s->ours, s->deadline_ms, &bounds);
	if (r < 0 || bounds->len == 0)
		return r;
	ns = open_at(s, v->pid, "ns/mnt", O_RDONLY);
	if (ns < 0)
		return ns;
	v->ns = ns;
	v->bounds = bounds;
	s->fn(v, s->arg);
	return 0;
}

/* 0 also when the pair is known, or has nothing of ours. */
static int look_at(struct scan *s, pid_t pid)
{
	struct view_of v = { .pid = pid, .ns = -1, .root = -1 };
	AUTO_FD int root = -1;
	char *name = NULL;
	char path[48], ns_name[64];
	int r;

	(void)snprintf(path, sizeof(path), "%d/ns/mnt", pid);
	r = read_link(s, path, ns_name, sizeof(ns_name));
	if (r < 0)
		return r;
	root = open_at(s, pid, "root", O_PATH | O_DIRECTORY);
	if (root < 0)
		return root;
	r = name_pair(s, pid, ns_name, root, &name);
	if (r < 0)
		return r;
	if (!g_hash_table_add(s->seen, name)) /* which frees it then */
		return 0;
	v.root = root;
	v.own_ns = strcmp(ns_name, s->own_ns) == 0;
	r = look_at_table(s, &v);
	/* It ended meanwhile: another process may still have the same. */
	if (r < 0)
		g_hash_table_remove(s->seen, name);
	else
		s->counts->looked_at++;
	return r;
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
		if (r == -ETIME || sys_coarse_ms() > s->deadline_ms) {
			s->counts->incomplete = true;
			return;
		}
	}
}

int scan_processes(const struct host *host, const struct ours *ours, uint64_t deadline_ms,
		   scan_fn *fn, void *arg, struct scan_counts *ret)
{
	struct scan s = { .host = host,
			  .ours = ours,
			  .deadline_ms = deadline_ms,
			  .fn = fn,
			  .arg = arg,
			  .counts = ret };
	int fd = openat(host_proc_dir(host), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	int r;

	if (!dir) {
		r = -errno;
		fd_close(&fd);
		return r;
	}
	*ret = (struct scan_counts){ 0 };
	r = read_link(&s, "self/ns/mnt", s.own_ns, sizeof(s.own_ns));
	if (r == 0) {
		s.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		walk(&s, dir);
		g_hash_table_unref(s.seen);
	}
	closedir(dir);
	return r;
}
