/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/place.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bind/table.h"
#include "hooks/input.h"
#include "host/host.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/sys.h"

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether @name of the process of @dir is what our own is. -1: it cannot be looked at. */
static int shares(int proc, int dir, const char *name)
{
	g_autofree char *own = g_build_filename("self", name, NULL);
	struct stat ours, theirs;

	if (fstatat(proc, own, &ours, 0) < 0 || fstatat(dir, name, &theirs, 0) < 0)
		return -1;
	return same(&ours, &theirs);
}

static int open_process(int proc, pid_t pid)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%d", pid);
	return openat(proc, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/*
 * In a pid namespace below that of the procfs, which still is the host's: only createContainer's
 * are.
 */
static bool is_nested(int proc)
{
	char self[16] = "";
	ssize_t n = readlinkat(proc, "self", self, sizeof(self) - 1);

	return n > 0 && strtol(self, NULL, 10) != getpid();
}

/* Who may not do it as it is may do so as the owner of the user namespace. */
static bool open_user(int proc, int dir, struct place *ret, GError **error)
{
	if (geteuid() == 0 || shares(proc, dir, "ns/user") == 1)
		return true;
	ret->user = openat(dir, "ns/user", O_RDONLY | O_CLOEXEC);
	ret->late = true;
	return ret->user >= 0 || fail(error, errno, "its user namespace cannot be opened");
}

struct sought {
	uint64_t id;
	bool found;
};

static bool look_for_id(const struct mountinfo *m, void *arg)
{
	struct sought *sought = arg;

	sought->found |= m->id == sought->id;
	return !sought->found;
}

/* Whether the mount that @fd is open in is in the table @path. -errno: it cannot be said. */
static int is_in_table(int proc, const char *path, int fd)
{
	AUTO_FD int table = openat(proc, path, O_RDONLY | O_CLOEXEC);
	struct sought sought = { 0 };
	int r = table < 0 ? -errno : sys_mount_id(fd, &sought.id);

	if (r == 0)
		r = table_each(table, UINT64_MAX, look_for_id, &sought);
	return r < 0 ? r : sought.found;
}

/*
 * Not ours, and yet no container's, where an engine has a mount namespace of its own. Who may not
 * look at init's namespace, as root with fewer capabilities, may read its table, which nobody
 * else's mounts are in.
 */
static int is_with_init(const struct place *p, const struct stat *its)
{
	struct stat hosts;

	if (fstatat(p->proc, "1/ns/mnt", &hosts, 0) == 0)
		return same(&hosts, its);
	return is_in_table(p->proc, "1/mountinfo", p->top);
}

/* By what was opened: a process may go from one namespace to another whenever it likes. */
static bool is_containers(const struct place *p, GError **error)
{
	struct stat ours, its;
	int r;

	if (fstatat(p->proc, "self/ns/mnt", &ours, 0) < 0 || fstat(p->ns, &its) < 0)
		return fail(error, errno, "its mount namespace cannot be compared with ours");
	r = same(&ours, &its) ? 1 : is_with_init(p, &its);
	if (r == 0)
		return true;
	/* With its user namespace goes what may be entered: nothing of the host's. */
	if (r < 0 && p->user >= 0)
		return true;
	if (r < 0)
		return fail(error, -r,
			    "whether its mount namespace is that of the host is not to be seen");
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "its mount namespace is that of the host");
	return false;
}

static bool open_namespaces(int proc, int dir, struct place *ret, GError **error)
{
	ret->ns = openat(dir, "ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ret->ns >= 0)
		ret->top = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->top < 0)
		return fail(error, errno, "its mount namespace cannot be opened");
	return open_user(proc, dir, ret, error) && is_containers(ret, error);
}

static bool open_proc(struct place *ret, GError **error)
{
	ret->proc = host_open_mounted_proc();
	return ret->proc >= 0 || fail(error, -ret->proc, "the host's procfs cannot be opened");
}

bool place_of_process(pid_t pid, struct place *ret, GError **error)
{
	AUTO_FD int dir = -1;

	if (!open_proc(ret, error))
		return false;
	dir = open_process(ret->proc, pid);
	if (dir < 0)
		return fail(error, errno, "process %d cannot be found", pid);
	if (shares(ret->proc, dir, "ns/mnt") == 1) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "process %d has no mount namespace of its own", pid);
		return false;
	}
	if (open_namespaces(ret->proc, dir, ret, error))
		return true;
	g_prefix_error(error, "process %d: ", pid);
	return false;
}

static char *below(const char *bundle, const char *path)
{
	return g_path_is_absolute(path) ? g_strdup(path) : g_build_filename(bundle, path, NULL);
}

static bool read_config(const char *bundle, struct oci_config *ret, GError **error)
{
	g_autofree char *path = g_build_filename(bundle, "config.json", NULL);
	AUTO_INPUT struct input input = { 0 };

	if (input_file(AT_FDCWD, path, &input, error) &&
	    oci_config_parse(input.text, input.len, ret, error))
		return true;
	g_prefix_error(error, "%s: ", path);
	return false;
}

static void merge(struct oci_wish *wish, struct oci_wish *more)
{
	wish->off |= more->off;
	if (!wish->files)
		wish->files = g_steal_pointer(&more->files);
}

/*
 * The root of a user namespace may not be let near the bundle. Then a hook that is inside goes by
 * what crun tells, or by where runc has put it: in the root directory.
 */
static bool find_rootfs(const struct oci_state *state, struct place *ret, struct oci_wish *wish,
			GError **error)
{
	AUTO_OCI_CONFIG struct oci_config config = { 0 };
	GError *trouble = NULL;

	if (read_config(state->bundle, &config, &trouble)) {
		ret->rootfs = below(state->bundle, config.root);
		merge(wish, &config.wish);
		return true;
	}
	if (!ret->here || !g_error_matches(trouble, G_FILE_ERROR, G_FILE_ERROR_ACCES)) {
		g_propagate_error(error, trouble);
		return false;
	}
	g_clear_error(&trouble);
	ret->rootfs = state->root ? below(state->bundle, state->root) : g_strdup(".");
	return true;
}

/* The process has left our root for its own: pivot_root(2) was called. */
static bool has_pivoted(const struct place *p)
{
	struct stat ours, theirs;

	return stat("/", &ours) < 0 || fstat(p->top, &theirs) < 0 || !same(&ours, &theirs);
}

bool place_of_state(const struct oci_state *state, struct place *ret, struct oci_wish *wish,
		    GError **error)
{
	AUTO_FD int dir = -1;

	if (!open_proc(ret, error))
		return false;
	ret->here = state->pid == 0 || is_nested(ret->proc);
	if (!ret->here) {
		dir = open_process(ret->proc, state->pid);
		if (dir < 0)
			return fail(error, errno, "its process %d cannot be found", state->pid);
		ret->here = shares(ret->proc, dir, "ns/mnt") == 1;
	}
	if (!ret->here && !open_namespaces(ret->proc, dir, ret, error))
		return false;
	if (!ret->here && has_pivoted(ret))
		return true;
	return find_rootfs(state, ret, wish, error);
}

static bool go(const struct place *p, GError **error)
{
	if (p->here)
		return true;
	if (p->user >= 0 && setns(p->user, CLONE_NEWUSER) < 0)
		return fail(error, errno, "its user namespace cannot be entered");
	if (setns(p->ns, CLONE_NEWNS) < 0)
		return fail(error, errno, "its mount namespace cannot be entered");
	/* It was opened after the namespace, and might be another's. */
	if (is_in_table(p->proc, "self/mountinfo", p->top) != 1) {
		g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
				    "its root directory is not in its mount namespace");
		return false;
	}
	if (fchdir(p->top) < 0 || chroot(".") < 0)
		return fail(error, errno, "its mount namespace cannot be entered");
	return true;
}

/* Below it the host's own /proc would be found. */
static bool is_our_root(int root)
{
	struct stat ours, theirs;

	return stat("/", &ours) < 0 || fstat(root, &theirs) < 0 || same(&ours, &theirs);
}

int place_enter(const struct place *p, GError **error)
{
	AUTO_FD int root = -1;

	if (!go(p, error))
		return -1;
	root = open(p->rootfs ? p->rootfs : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		fail(error, errno, "its root directory %s cannot be opened", p->rootfs);
		return -1;
	}
	if (p->here && is_our_root(root)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "its root directory %s is that of the host", p->rootfs);
		return -1;
	}
	return fd_steal(&root);
}

void place_clear(struct place *p)
{
	fd_close(&p->proc);
	fd_close(&p->ns);
	fd_close(&p->user);
	fd_close(&p->top);
	g_free(p->rootfs);
	p->rootfs = NULL;
}
