/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/pidns.h"
#include "util/fd.h"
#include "util/sys.h"

/* 17 hierarchies, paths of at most PATH_MAX. */
#define CGROUP_TEXT_SIZE (17 * (4096 + 64))

/* Nobody nests pid namespaces deeper: MAX_PID_NS_LEVEL. */
#define MAX_PIDNS_LEVEL 32

#define INIT_SCOPE "/init.scope"

int identity_source_init(struct identity_source *src, const struct host *host,
			 const struct cg_layout *layout)
{
	*src = (struct identity_source){ .host = host, .layout = layout, .own_cgroupns = -1 };
	for (int ns = 0; ns < HOST_N_NS; ns++) {
		int r = host_pid_ns(host, 0, ns, &src->own_ns[ns]);

		/* Kernels before 5.6 have no time namespaces, before 4.6 none for cgroups. */
		if (r < 0 && (r != -ENOENT || ns == HOST_NS_PID))
			return r;
	}
	src->own_cgroupns = host_pid_ns_open(host, 0, HOST_NS_CGROUP);
	return 0;
}

void identity_source_clear(struct identity_source *src)
{
	fd_close(&src->own_cgroupns);
}

static bool in_use(const struct cg_layout *l, size_t hierarchy)
{
	for (size_t c = 0; c < CG_N_CONTROLLERS; c++)
		if (l->controllers[c] == (int)hierarchy)
			return true;
	return false;
}

bool identity_is_below(const struct cg_layout *l, const char *below, const char *above)
{
	struct cg_place a[CG_MAX_HIERARCHIES], b[CG_MAX_HIERARCHIES];

	cg_places_parse(l, below, b);
	cg_places_parse(l, above, a);
	for (size_t i = 0; i < l->n_hierarchies; i++)
		if (in_use(l, i) && !cg_place_is_below(b[i], a[i]))
			return false;
	return true;
}

bool identity_at_root(const struct cg_layout *l, const char *text)
{
	struct cg_place p[CG_MAX_HIERARCHIES];

	cg_places_parse(l, text, p);
	for (size_t i = 0; i < l->n_hierarchies; i++)
		if (in_use(l, i) && p[i].path && !cg_place_is_root(p[i]))
			return false;
	return true;
}

static bool ends_with(struct cg_place p, const char *suffix, size_t len)
{
	return p.len >= len && memcmp(p.path + p.len - len, suffix, len) == 0;
}

static void append_root(GString *out, const struct cg_hierarchy *h, struct cg_place root)
{
	g_string_append_printf(out, "%u::", h->id);
	g_string_append_len(out, root.len ? root.path : "/", root.len ? (gssize)root.len : 1);
	g_string_append_c(out, '\n');
}

/* Whether @p, "/" or "/a/b", begins with a name; *@ret_len is its length and the slash. */
static bool next_name(struct cg_place p, size_t *ret_len)
{
	const char *end = p.len > 1 ? memchr(p.path + 1, '/', p.len - 1) : NULL;

	*ret_len = end ? (size_t)(end - p.path) : p.len;
	return p.len > 1;
}

static bool is_outside(struct cg_place p)
{
	size_t len;

	return next_name(p, &len) && len == 3 && memcmp(p.path, "/..", 3) == 0;
}

/* How many levels @p lies below the root of who is told: "/../x", beside it, does none. */
static int depth_of(struct cg_place p)
{
	int depth = 0;

	for (size_t len; next_name(p, &len); p.path += len, p.len -= len)
		depth += len == 3 && memcmp(p.path, "/..", 3) == 0 ? -1 : 1;
	return depth;
}

static struct cg_place go_up(struct cg_place p, int levels)
{
	for (; levels > 0 && p.len > 0; levels--)
		do
			p.len--;
		while (p.len > 0 && p.path[p.len] != '/');
	return p;
}

/*
 * How deep the namespace's root is tells the way from there to us, who stay where we are: what the
 * process itself says could be of two places, if it moved about in between.
 */
char *identity_roots(const struct cg_layout *l, const struct identity_look *look)
{
	struct cg_place host[CG_MAX_HIERARCHIES], inside[CG_MAX_HIERARCHIES];
	struct cg_place own_host[CG_MAX_HIERARCHIES], own_inside[CG_MAX_HIERARCHIES];
	GString *out = g_string_new(NULL);

	cg_places_parse(l, look->host, host);
	cg_places_parse(l, look->inside, inside);
	cg_places_parse(l, look->own_host, own_host);
	cg_places_parse(l, look->own_inside, own_inside);
	for (size_t i = 0; i < l->n_hierarchies; i++) {
		struct cg_place root = host[i];

		if (!root.path)
			continue;
		if (inside[i].path && !is_outside(inside[i]) && own_host[i].path)
			root = go_up(root, depth_of(root) - depth_of(own_host[i]) +
						   depth_of(own_inside[i]));
		append_root(out, &l->hierarchies[i], root);
	}
	return g_string_free(out, FALSE);
}

/* systemd as a container's init sits in a scope of its own below the container's root. */
static char *roots_of_init(const struct cg_layout *l, const char *text)
{
	struct cg_place p[CG_MAX_HIERARCHIES];
	GString *out = g_string_new(NULL);

	cg_places_parse(l, text, p);
	for (size_t i = 0; i < l->n_hierarchies; i++) {
		if (!p[i].path)
			continue;
		if (ends_with(p[i], INIT_SCOPE, strlen(INIT_SCOPE)))
			p[i].len -= strlen(INIT_SCOPE);
		append_root(out, &l->hierarchies[i], p[i]);
	}
	return g_string_free(out, FALSE);
}

static int read_both(int fd, int own_fd, char *text, char *own_text)
{
	ssize_t n = fd_read(fd, text, CGROUP_TEXT_SIZE);

	if (n >= 0)
		n = fd_read(own_fd, own_text, CGROUP_TEXT_SIZE);
	return n < 0 ? (int)n : 0;
}

/*
 * @fd is a /proc/PID/cgroup, @own_fd ours. A thread's view of these is that of its own cgroup
 * namespace, so it goes into @ns_fd and back.
 */
static int look(const struct identity_source *src, int ns_fd, int fd, int own_fd,
		struct identity_look *ret)
{
	int r = read_both(fd, own_fd, ret->host, ret->own_host);

	if (r < 0)
		return r;
	if (setns(ns_fd, CLONE_NEWCGROUP) < 0)
		return -errno;
	r = read_both(fd, own_fd, ret->inside, ret->own_inside);
	/* A thread that stayed there would take every container for another. */
	if (setns(src->own_cgroupns, CLONE_NEWCGROUP) < 0)
		g_error("cannot return to the host's cgroup namespace: %s", g_strerror(errno));
	return r;
}

static struct identity_look look_at(char *memory)
{
	return (struct identity_look){ .host = memory,
				       .inside = memory + CGROUP_TEXT_SIZE,
				       .own_host = memory + 2 * CGROUP_TEXT_SIZE,
				       .own_inside = memory + 3 * CGROUP_TEXT_SIZE };
}

static bool is_same(const struct identity_look *a, const struct identity_look *b)
{
	return strcmp(a->host, b->host) == 0 && strcmp(a->inside, b->inside) == 0 &&
	       strcmp(a->own_host, b->own_host) == 0 && strcmp(a->own_inside, b->own_inside) == 0;
}

static int resolve_cgroupns(const struct identity_source *src, pid_t pid, struct identity *ret)
{
	g_autofree char *memory = g_malloc(8 * (size_t)CGROUP_TEXT_SIZE);
	struct identity_look a = look_at(memory), b = look_at(memory + 4 * CGROUP_TEXT_SIZE);
	AUTO_FD int fd = host_pid_cgroup_open(src->host, pid);
	AUTO_FD int own_fd = host_pid_cgroup_open(src->host, 0);
	bool same = false;

	if (fd < 0 || own_fd < 0)
		return fd < 0 ? fd : own_fd;
	/* Until all stay where they are for two looks. A hostile process never does. */
	for (int tries = 0; tries < 8 && !same; tries++) {
		int r = look(src, ret->ns_fd, fd, own_fd, &a);

		if (r == 0)
			r = look(src, ret->ns_fd, fd, own_fd, &b);
		if (r < 0)
			return r;
		same = is_same(&a, &b);
	}
	g_free(ret->roots);
	ret->roots = identity_roots(src->layout, &a);
	return 0;
}

/*
 * When its first thread has ended, and left others behind, v1 tells the root for its cgroups: what
 * was read before this says no is true.
 */
static int check_alive(const struct identity_source *src, pid_t init)
{
	struct pidstat st;
	int r = host_pid_stat(src->host, init, &st);

	return r < 0 ? r : st.exiting ? -ECHILD : 0;
}

/* Sets .init, .init_pidfd and .start_ns, unless @init has gone or changed meanwhile. */
static int set_init(const struct identity_source *src, pid_t init, struct identity *ret)
{
	uint64_t ns_per_tick = UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK);
	AUTO_FD int pidfd = sys_pidfd_open(init);
	struct pidstat st;
	int r;

	if (pidfd < 0)
		return pidfd;
	r = host_pid_stat(src->host, init, &st);
	if (r < 0)
		return r;
	ret->init = init;
	ret->start_ns = st.start_ticks * ns_per_tick;
	ret->init_pidfd = fd_steal(&pidfd);
	return 0;
}

/*
 * The init of a container with a cgroup namespace: that of the outermost pid namespace, from the
 * reader's outwards, whose init is in the same cgroup namespace. 0: none.
 */
static pid_t find_init(const struct identity_source *src, pid_t pid, uint64_t cgroupns)
{
	AUTO_FD int ns = host_pid_ns_open(src->host, pid, HOST_NS_PID);
	pid_t found = 0;

	for (int level = 0; ns >= 0 && level < MAX_PIDNS_LEVEL; level++) {
		struct stat st;
		uint64_t ino;
		pid_t init;
		int parent;

		if (fstat(ns, &st) < 0 || st.st_ino == src->own_ns[HOST_NS_PID])
			break;
		if (host_pidns_init(src->host, ns, pid, &init) == 0 &&
		    host_pid_ns(src->host, init, HOST_NS_CGROUP, &ino) == 0 && ino == cgroupns)
			found = init;
		parent = host_pidns_parent(ns);
		fd_close(&ns);
		ns = parent;
	}
	return found;
}

/* -ECHILD, -ESRCH: it has no init that would tell. */
static int resolve_by_init(const struct identity_source *src, pid_t pid, const char *own,
			   struct identity *ret)
{
	g_autofree char *text = g_malloc(CGROUP_TEXT_SIZE);
	pid_t init;
	ssize_t n;
	int r = host_pidns_init(src->host, ret->ns_fd, pid, &init);

	if (r == 0)
		r = set_init(src, init, ret);
	if (r < 0)
		return r;
	n = host_pid_cgroup(src->host, init, text, CGROUP_TEXT_SIZE);
	r = n < 0 ? (int)n : check_alive(src, init);
	if (r < 0)
		return r;
	ret->roots = roots_of_init(src->layout, text);
	return identity_is_below(src->layout, own, ret->roots) ? 0 : -ECHILD;
}

static int resolve_pidns(const struct identity_source *src, pid_t pid, const char *own,
			 struct identity *ret)
{
	int r = resolve_by_init(src, pid, own, ret);

	ret->kind = IDENTITY_PIDNS;
	if (r != -ECHILD && r != -ESRCH)
		return r;
	g_free(ret->roots);
	ret->roots = g_strdup(own);
	ret->kind = IDENTITY_CGROUP;
	return 0;
}

int identity_resolve(const struct identity_source *src, pid_t pid, enum identity_kind kind,
		     uint64_t ns_ino, const char *own, struct identity *ret)
{
	struct identity id = { .kind = kind, .ns_ino = ns_ino, .ns_fd = -1, .init_pidfd = -1 };
	struct stat st;
	int r = 0;

	if (ns_ino) {
		enum host_ns ns = kind == IDENTITY_CGROUPNS ? HOST_NS_CGROUP : HOST_NS_PID;

		id.ns_fd = host_pid_ns_open(src->host, pid, ns);
		if (id.ns_fd < 0)
			r = id.ns_fd;
		else if (fstat(id.ns_fd, &st) < 0 || st.st_ino != ns_ino)
			r = -ESRCH;
	}
	if (r == 0 && kind == IDENTITY_CGROUPNS) {
		pid_t init = find_init(src, pid, ns_ino);

		r = init ? set_init(src, init, &id) : 0;
		if (r == 0)
			/* init is where it was started; a reader may have been moved out. */
			r = resolve_cgroupns(src, init ? init : pid, &id);
		if (r == 0 && init)
			r = check_alive(src, init);
		if (r == -ECHILD)
			r = resolve_cgroupns(src, pid, &id);
	} else if (r == 0 && ns_ino) {
		r = resolve_pidns(src, pid, own, &id);
	} else if (r == 0) {
		id.roots = g_strdup(own);
	}
	if (r < 0) {
		identity_clear(&id);
		return r == -ENOENT ? -ESRCH : r;
	}
	*ret = id;
	return 0;
}

void identity_clear(struct identity *id)
{
	fd_close(&id->ns_fd);
	fd_close(&id->init_pidfd);
	g_free(id->roots);
	*id = (struct identity){ .ns_fd = -1, .init_pidfd = -1 };
}
