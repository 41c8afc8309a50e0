/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/host.h"
#include "util/fd.h"
#include "util/sys.h"

/* A copy of a part of the live file system, not mounted yet. */
struct spare {
	char *root;
	int fd;
};

struct guest {
	const struct visit *visit;
	const struct envoys_voice *voice;
	const GPtrArray *bounds; /* as the table was a moment ago */
	GArray *spares;
	int root;       /* of the container, O_PATH */
	bool overtaken; /* by the container, which changed its table, or ended */
};

void visit_begin(int sock, void *visit)
{
	struct visit *v = visit;
	int proc = host_proc_dir(v->host);
	int keep[] = { sock, proc, v->live->fd };

	/* Stuck in a container, it must not keep the lock. */
	fd_close_others(keep, G_N_ELEMENTS(keep));
	v->home = openat(proc, "self/ns/mnt", O_RDONLY | O_CLOEXEC);
	v->home_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->home < 0 || v->home_root < 0)
		_exit(1);
}

/*
 * The paths of mountinfo are right from here on, and no file of the host's can be reached but for
 * those of its procfs, which is the working directory.
 */
static int enter(const struct visit *v, int ns, int root)
{
	if (setns(ns, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0 ||
	    fchdir(host_proc_dir(v->host)) < 0)
		return -errno;
	return 0;
}

static void come_home(const struct visit *v)
{
	if (setns(v->home, CLONE_NEWNS) < 0 || fchdir(v->home_root) < 0 || chroot(".") < 0)
		_exit(1);
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ESRCH;
}

/*
 * A descriptor of the mount @b if it still is what lies at its point. Nothing is asked of its file
 * system, which may be dead. -ESTALE: something else lies there.
 */
static int open_bound(struct guest *g, const struct bound *b)
{
	AUTO_FD int fd = sys_open_in_root(g->root, b->point, O_PATH | O_NOFOLLOW);
	uint64_t id;
	int r;

	if (fd < 0)
		return fd;
	r = live_mount_id(g->visit->host, fd, &id);
	if (r < 0)
		return r;
	return id == b->id ? fd_steal(&fd) : -ESTALE;
}

static void say(struct guest *g, const struct bound *b, enum bind_outcome outcome)
{
	envoys_say(g->voice, b->point, outcome, 0);
}

static void say_error(struct guest *g, const struct bound *b, int r)
{
	g->overtaken |= (r == -ESTALE && !b->covered) || is_gone(r);
	if (r == -ESTALE)
		say(g, b, BIND_COVERED);
	else if (is_gone(r))
		say(g, b, BIND_GONE);
	else
		envoys_say(g->voice, b->point, BIND_FAILED, -r);
}

/*
 * The descriptor's name in the host's procfs, where we are: what is changed by it is not found by
 * its path, which the container may have changed since it was looked at.
 */
static const char *name_of(int fd, char path[32])
{
	(void)snprintf(path, 32, "self/fd/%d", fd);
	return path;
}

static int take_away(int fd)
{
	char path[32];

	return umount2(name_of(fd, path), MNT_DETACH) < 0 ? -errno : 0;
}

static bool is_dead_top(const GPtrArray *bounds, const struct bound *b)
{
	return !b->live && table_is_top(bounds, b);
}

/*
 * To be done before the namespace is left for another one, from where ours cannot be copied. Each
 * visit begins with another file: so all are looked up at once, not by all one after the other.
 */
static void make_spares(struct guest *g, size_t first)
{
	const GPtrArray *bounds = g->bounds;

	for (size_t i = 0; i < bounds->len; i++) {
		const struct bound *b = bounds->pdata[(first + i) % bounds->len];
		AUTO_FD int fd = -1;
		struct spare spare;

		if (!is_dead_top(bounds, b))
			continue;
		fd = sys_open_in_root(g->visit->live->fd, b->root, O_PATH | O_NOFOLLOW);
		spare = (struct spare){ .root = b->root,
					.fd = fd < 0 ? fd : sys_clone_tree_at(fd) };
		g_array_append_val(g->spares, spare);
	}
}

/* -ENOENT: the table had no such mount a moment ago. */
static int take_spare(struct guest *g, const char *root)
{
	for (size_t i = 0; i < g->spares->len; i++) {
		struct spare *s = &g_array_index(g->spares, struct spare, i);

		if (s->root && strcmp(s->root, root) == 0) {
			s->root = NULL;
			return fd_steal(&s->fd);
		}
	}
	return -ENOENT;
}

/* Mounts the copy @tree in the place of the dead @b, whose descriptor is @target. */
static void put_back(struct guest *g, const struct bound *b, int tree, int target)
{
	int r = sys_mount_beneath(tree, target);

	if (r == 0) {
		r = take_away(target);
		if (r == 0)
			say(g, b, BIND_BENEATH);
		else
			say_error(g, b, r);
		return;
	}
	/* No such flag; or the dead mount is locked, as is a copy in a nested user namespace. */
	r = sys_mount_onto(tree, target);
	if (r == 0) {
		say(g, b, BIND_STACKED);
		return;
	}
	/* Or the container did away with it just now. */
	AUTO_FD int still = open_bound(g, b);

	say_error(g, b, still == -ESTALE || still == -ENOENT ? -ENOENT : r);
}

/*
 * Takes away dead mounts, @top first, as long as there is one of ours below: readers go from one
 * dead file to the next. Returns what is left on top, with a descriptor; NULL when no more is to be
 * done.
 */
static const struct bound *clear_stack(struct guest *g, const struct bound *top, int *ret_fd)
{
	const struct bound *b = top, *below;

	for (;; b = below) {
		AUTO_FD int fd = open_bound(g, b);

		if (fd < 0) {
			say_error(g, b, fd);
			return NULL;
		}
		if (b->live && strcmp(b->root, top->root) == 0) {
			say(g, b, BIND_UNCOVERED);
			return NULL;
		}
		if (g->visit->dry_run) {
			say(g, b, BIND_FOUND);
			return NULL;
		}
		below = table_below(g->bounds, b);
		if (!below || take_away(fd) < 0) {
			*ret_fd = fd_steal(&fd);
			return b;
		}
	}
}

static void repair_stack(struct guest *g, const struct bound *top)
{
	AUTO_FD int target = -1;
	AUTO_FD int tree = -1;
	const struct bound *b;
	char path[32];
	bool private;

	tree = g->visit->dry_run ? -1 : take_spare(g, top->root);
	if (tree < 0 && !g->visit->dry_run) {
		envoys_say(g->voice, top->point, BIND_FAILED, -tree);
		return;
	}
	/* Kernels before 5.12 have no such call; what is served is read-only by itself. */
	private = tree < 0 || sys_mount_attr_set(tree, top->attrs) == 0;
	b = clear_stack(g, top, &target);
	if (b)
		put_back(g, b, tree, target);
	if (b && !private)
		(void)mount(NULL, name_of(tree, path), NULL, MS_PRIVATE, NULL);
}

/*
 * What lies at the mount point itself, what would take that along when it is unmounted, and the
 * copy of it in a namespace that is no container, as services have.
 */
static bool is_own(const struct visit *v, const struct bound *b)
{
	for (size_t i = 0; i < v->live->own_ids->len; i++)
		if (g_array_index(v->live->own_ids, uint64_t, i) == b->id)
			return true;
	if (strcmp(b->root, "/") != 0)
		return false;
	return (v->live->peers && b->peers == v->live->peers) ||
	       strcmp(b->point, v->live->mountpoint) == 0;
}

static void detach_stack(struct guest *g, const struct bound *top)
{
	for (const struct bound *b = top; b && !is_own(g->visit, b);
	     b = table_below(g->bounds, b)) {
		AUTO_FD int fd = open_bound(g, b);
		int r = fd;

		if (fd >= 0 && g->visit->dry_run) {
			say(g, b, BIND_FOUND);
			continue;
		}
		if (fd >= 0)
			r = take_away(fd);
		if (r == -EINVAL)
			say(g, b, BIND_LOCKED);
		else if (r < 0)
			say_error(g, b, r);
		else
			say(g, b, BIND_DETACHED);
		if (r < 0)
			return;
	}
}

static bool repairs(const struct guest *g)
{
	return g->visit->what == VISIT_REPAIR;
}

static bool is_wanted(const struct guest *g)
{
	for (size_t i = 0; i < g->bounds->len; i++) {
		const struct bound *b = g->bounds->pdata[i];

		if (repairs(g) ? is_dead_top(g->bounds, b) : !is_own(g->visit, b))
			return true;
	}
	return false;
}

static void work_on_all(struct guest *g)
{
	for (size_t i = 0; i < g->bounds->len; i++) {
		const struct bound *b = g->bounds->pdata[i];

		if (repairs(g) && is_dead_top(g->bounds, b))
			repair_stack(g, b);
		else if (!repairs(g) && table_is_top(g->bounds, b))
			detach_stack(g, b);
	}
}

static bool are_alone(const GPtrArray *bounds)
{
	for (size_t i = 0; i < bounds->len; i++)
		if (!((const struct bound *)bounds->pdata[i])->alone)
			return false;
	return true;
}

static void clear_spare(void *data)
{
	fd_close(&((struct spare *)data)->fd);
}

/* In the namespace @ns; @number: of the visit. */
static void work_there(struct guest *g, int ns, size_t number)
{
	int r;

	g->spares = g_array_new(FALSE, FALSE, sizeof(struct spare));
	g_array_set_clear_func(g->spares, clear_spare);
	if (repairs(g))
		make_spares(g, number);
	r = enter(g->visit, ns, g->root);
	if (r == 0)
		work_on_all(g);
	else
		envoys_say(g->voice, "/", BIND_FAILED, -r);
	come_home(g->visit);
	g_array_unref(g->spares);
}

/* -ESRCH: the process is another one, or elsewhere by now. */
static int check_ns(int dir, const struct envoy_job *job)
{
	struct stat st;

	if (fstatat(dir, "ns/mnt", &st, 0) < 0)
		return -errno;
	return st.st_ino == job->ns ? 0 : -ESRCH;
}

/* Opens what is the process's. Returns 0, or what opening or check_ns() says. */
static int open_process(const struct visit *v, const struct envoy_job *job, int *ret_table,
			int *ret_ns, int *ret_dir)
{
	char path[16];

	(void)snprintf(path, sizeof(path), "%d", job->pid);
	*ret_dir = openat(host_proc_dir(v->host), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*ret_ns = *ret_dir < 0 ? -1 : openat(*ret_dir, "ns/mnt", O_RDONLY | O_CLOEXEC);
	*ret_table = *ret_ns < 0 ? -1 : openat(*ret_dir, "mountinfo", O_RDONLY | O_CLOEXEC);
	return *ret_table < 0 ? -errno : check_ns(*ret_dir, job);
}

/* A process that has ended has no table: -EINVAL. */
static enum envoy_result say_trouble(const struct envoys_voice *voice, int r)
{
	if (r == -ETIME)
		return ENVOY_LONG;
	if (is_gone(r) || r == -EINVAL)
		return ENVOY_GONE;
	envoys_say(voice, "/", BIND_FAILED, -r);
	return ENVOY_DONE;
}

enum envoy_result visit_place(const struct envoys_voice *voice, const struct envoy_job *job,
			      void *visit)
{
	struct guest g = { .visit = visit, .voice = voice, .root = -1 };
	g_autoptr(GPtrArray) bounds = NULL;
	AUTO_FD int table = -1;
	AUTO_FD int dir = -1;
	AUTO_FD int root = -1;
	AUTO_FD int ns = -1;
	int r = open_process(g.visit, job, &table, &ns, &dir);

	if (r == 0)
		r = table_ours(table, &g.visit->live->ours, sys_coarse_ms() + job->patience_ms,
			       &bounds);
	if (r != 0)
		return say_trouble(voice, r);
	g.bounds = bounds;
	if (!is_wanted(&g))
		return ENVOY_DONE;
	if (job->at_once && !g.visit->dry_run && !are_alone(bounds))
		return ENVOY_SHARED;
	root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = root < 0 ? -errno : check_ns(dir, job);
	if (r < 0)
		return say_trouble(voice, r);
	g.root = root;
	work_there(&g, ns, job->number);
	return g.overtaken ? ENVOY_AGAIN : ENVOY_DONE;
}
