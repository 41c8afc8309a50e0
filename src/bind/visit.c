/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
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
	GPtrArray *bounds; /* as the table is now */
	GArray *spares;
};

/* The paths of mountinfo are right from here on, and no file of the host's can be reached. */
static int enter(const struct visit *v)
{
	AUTO_FD int root = -1;
	char path[32];

	(void)snprintf(path, sizeof(path), "%d/root", v->view->pid);
	root = openat(host_proc_dir(v->host), path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || setns(v->view->ns, CLONE_NEWNS) < 0 || fchdir(root) < 0 || chroot(".") < 0)
		return -errno;
	return 0;
}

/* Stuck in a container, it must not keep the lock. */
static void let_go(const struct visit *v)
{
	close(v->live->lock);
}

static bool is_gone(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ESRCH;
}

static int read_table(const struct visit *v, GPtrArray **ret)
{
	AUTO_FD int fd = openat(host_proc_dir(v->host), "self/mountinfo", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : table_ours(fd, &v->live->ours, UINT64_MAX, ret);
}

/* Goes there and reads the table. Tells of a failure; NULL then. */
static GPtrArray *arrive(const struct guest *g)
{
	GPtrArray *bounds = NULL;
	int r = enter(g->visit);

	if (r == 0)
		r = read_table(g->visit, &bounds);
	if (r < 0)
		envoys_say(g->voice, "/", is_gone(r) ? BIND_GONE : BIND_FAILED, -r);
	return bounds;
}

/*
 * A descriptor of the mount @b if it still is what lies at its point. Nothing is asked of its file
 * system, which may be dead. -ESTALE: something else lies there.
 */
static int open_bound(const struct guest *g, const struct bound *b)
{
	AUTO_FD int fd = sys_open_in_root(AT_FDCWD, b->point, O_PATH | O_NOFOLLOW);
	uint64_t id;
	int r;

	if (fd < 0)
		return fd;
	r = live_mount_id(g->visit->host, fd, &id);
	if (r < 0)
		return r;
	return id == b->id ? fd_steal(&fd) : -ESTALE;
}

static void say(const struct guest *g, const struct bound *b, enum bind_outcome outcome)
{
	envoys_say(g->voice, b->point, outcome, 0);
}

static void say_error(const struct guest *g, const struct bound *b, int r)
{
	if (r == -ESTALE)
		say(g, b, BIND_COVERED);
	else if (is_gone(r))
		say(g, b, BIND_GONE);
	else
		envoys_say(g->voice, b->point, BIND_FAILED, -r);
}

static int detach(const char *path)
{
	return umount2(path, MNT_DETACH);
}

static int make_private(const char *path)
{
	return mount(NULL, path, NULL, MS_PRIVATE, NULL);
}

/*
 * Changes the mount that @fd is of. Not by its path, which the container may have changed since it
 * was looked at, but by the descriptor's in the host's procfs.
 */
static int change_at(const struct guest *g, int fd, int (*change)(const char *path))
{
	char path[32];
	int r = 0;

	(void)snprintf(path, sizeof(path), "self/fd/%d", fd);
	if (fchdir(host_proc_dir(g->visit->host)) < 0 || change(path) < 0)
		r = -errno;
	return chdir("/") < 0 ? -errno : r;
}

static int take_away(const struct guest *g, int fd)
{
	return change_at(g, fd, detach);
}

static bool is_dead_top(const GPtrArray *bounds, const struct bound *b)
{
	return !b->live && table_is_top(bounds, b);
}

bool visit_wants_repair(const struct visit *v)
{
	for (size_t i = 0; i < v->view->bounds->len; i++)
		if (is_dead_top(v->view->bounds, v->view->bounds->pdata[i]))
			return true;
	return false;
}

/* To be done before the namespace is left for another one, from where ours cannot be copied. */
static void make_spares(struct guest *g)
{
	const GPtrArray *bounds = g->visit->view->bounds;

	for (size_t i = 0; i < bounds->len; i++) {
		const struct bound *b = bounds->pdata[i];
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
			return s->fd;
		}
	}
	return -ENOENT;
}

/* Mounts the copy @tree in the place of the dead @b, whose descriptor is @target. */
static void put_back(const struct guest *g, const struct bound *b, int tree, int target)
{
	int r = sys_mount_beneath(tree, target);

	if (r == 0) {
		r = take_away(g, target);
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
static const struct bound *clear_stack(const struct guest *g, const struct bound *top, int *ret_fd)
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
		if (!below || take_away(g, fd) < 0) {
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
	bool private;

	tree = take_spare(g, top->root);
	if (tree < 0) {
		say_error(g, top, tree);
		return;
	}
	/* Kernels before 5.12 have no such call; what is served is read-only by itself. */
	private = sys_mount_attr_set(tree, top->attrs) == 0;
	b = clear_stack(g, top, &target);
	if (b)
		put_back(g, b, tree, target);
	if (b && !private)
		change_at(g, tree, make_private);
}

void visit_repair(const struct envoys_voice *voice, const void *visit)
{
	struct guest g = { .visit = visit, .voice = voice };

	let_go(g.visit);
	g.spares = g_array_new(FALSE, FALSE, sizeof(struct spare));
	make_spares(&g);
	g.bounds = arrive(&g);
	if (!g.bounds)
		return;
	for (size_t i = 0; i < g.bounds->len; i++) {
		const struct bound *b = g.bounds->pdata[i];

		if (is_dead_top(g.bounds, b))
			repair_stack(&g, b);
	}
}

/*
 * What lies at the mount point itself, what would take that along when it is unmounted, and the copy
 * of it in a namespace that is no container, as services have.
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

bool visit_wants_detach(const struct visit *v)
{
	for (size_t i = 0; i < v->view->bounds->len; i++)
		if (!is_own(v, v->view->bounds->pdata[i]))
			return true;
	return false;
}

static void detach_stack(const struct guest *g, const struct bound *top)
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
			r = take_away(g, fd);
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

void visit_detach(const struct envoys_voice *voice, const void *visit)
{
	struct guest g = { .visit = visit, .voice = voice };

	let_go(g.visit);
	g.bounds = arrive(&g);
	if (!g.bounds)
		return;
	for (size_t i = 0; i < g.bounds->len; i++) {
		const struct bound *b = g.bounds->pdata[i];

		if (table_is_top(g.bounds, b))
			detach_stack(&g, b);
	}
}
