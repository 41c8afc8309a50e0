/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"
#include "util/fd.h"
#include "util/num.h"

struct scan {
	const struct host *host;
	scan_fn *fn;
	void *arg;
	GHashTable *places; /* by owned texts that name a pair */
};

static int read_link(const struct scan *s, const char *path, char *buf, size_t size)
{
	ssize_t n = readlinkat(host_proc_dir(s->host), path, buf, size - 1);

	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* "mnt:[4026531841]" */
static int parse_ns(const char *text, uint64_t *ret)
{
	const char *p = strchr(text, '[');

	return p && num_take(&(const char *){ p + 1 }, ret) ? 0 : -EBADMSG;
}

/* An owned name of the pair. Opening the root would ask its file system, which may hang. */
static int name_pair(const struct scan *s, pid_t pid, uint64_t *ret_ns, char **ret)
{
	char path[48], ns[64], root[PATH_MAX + 1];
	int r;

	(void)snprintf(path, sizeof(path), "%d/ns/mnt", pid);
	r = read_link(s, path, ns, sizeof(ns));
	if (r == 0)
		r = parse_ns(ns, ret_ns);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%d/root", pid);
	r = read_link(s, path, root, sizeof(root));
	if (r == -ENAMETOOLONG)
		root[0] = '\0';
	else if (r < 0)
		return r;
	*ret = g_strjoin("\n", ns, root, NULL);
	return 0;
}

/* NULL: see errno. */
static DIR *open_numbers(const struct scan *s, const char *path)
{
	AUTO_FD int fd = openat(host_proc_dir(s->host), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (dir)
		(void)fd_steal(&fd);
	return dir;
}

/* The next entry that is a number, or 0. */
static pid_t next_number(DIR *dir)
{
	const struct dirent *entry;
	uint64_t number;

	while ((entry = readdir(dir)))
		if (num_parse(entry->d_name, &number) && number > 0 && number <= INT_MAX)
			return (pid_t)number;
	return 0;
}

/*
 * A process's first thread may have ended, and is in no namespace then, while others go on: one of
 * these is found below /proc by its number as well.
 */
static pid_t find_thread(const struct scan *s, pid_t pid)
{
	char path[32], ns[64];
	pid_t tid;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%d/task", pid);
	dir = open_numbers(s, path);
	if (!dir)
		return 0;
	while ((tid = next_number(dir))) {
		(void)snprintf(path, sizeof(path), "%d/ns/mnt", tid);
		if (tid != pid && read_link(s, path, ns, sizeof(ns)) == 0)
			break;
	}
	closedir(dir);
	return tid;
}

/* Returns whether to go on, or -errno. */
static int look_at(const struct scan *s, pid_t pid)
{
	g_autofree char *name = NULL;
	struct place *place;
	uint64_t ns;
	int r = name_pair(s, pid, &ns, &name);

	if (r == -ENOENT) {
		pid = find_thread(s, pid);
		r = pid ? name_pair(s, pid, &ns, &name) : r;
	}
	if (r < 0)
		return r;
	place = g_hash_table_lookup(s->places, name);
	if (place && place->n_pids < PLACE_PIDS_MAX)
		place->pids[place->n_pids++] = pid;
	else if (place)
		place->more = true;
	if (place)
		return true;
	place = g_new(struct place, 1);
	*place = (struct place){ .ns = ns, .pids = { pid }, .n_pids = 1 };
	g_hash_table_insert(s->places, g_steal_pointer(&name), place);
	return s->fn(place, s->arg);
}

int scan_processes(const struct host *host, scan_fn *fn, void *arg, unsigned *ret_unreadable)
{
	struct scan s = { .host = host, .fn = fn, .arg = arg };
	DIR *dir = open_numbers(&s, ".");
	pid_t pid;
	int r = true;

	if (!dir)
		return -errno;
	*ret_unreadable = 0;
	s.places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	while (r != false && (pid = next_number(dir))) {
		r = look_at(&s, pid);
		*ret_unreadable += r == -EACCES || r == -EPERM;
	}
	g_hash_table_unref(s.places);
	closedir(dir);
	return 0;
}
