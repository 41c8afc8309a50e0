/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/node.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

static const char *const file_names[CG_N_VERSIONS][CG_N_FILES] = {
	[CG_V1] = {
		[CG_FILE_MEMORY_MAX] = "memory.limit_in_bytes",
		[CG_FILE_MEMORY_CURRENT] = "memory.usage_in_bytes",
		[CG_FILE_MEMORY_STAT] = "memory.stat",
		[CG_FILE_MEMORY_NUMA_STAT] = "memory.numa_stat",
		[CG_FILE_SWAP_MAX] = "memory.memsw.limit_in_bytes",
		[CG_FILE_SWAP_CURRENT] = "memory.memsw.usage_in_bytes",
		[CG_FILE_SWAPPINESS] = "memory.swappiness",
		[CG_FILE_KMEM_CURRENT] = "memory.kmem.usage_in_bytes",
		[CG_FILE_CPU_MAX] = "cpu.cfs_quota_us",
		[CG_FILE_CPU_PERIOD] = "cpu.cfs_period_us",
		[CG_FILE_CPU_STAT] = "cpu.stat",
		[CG_FILE_CPUACCT_ALL] = "cpuacct.usage_all",
		[CG_FILE_CPUACCT_STAT] = "cpuacct.stat",
		[CG_FILE_CPUACCT_USAGE] = "cpuacct.usage",
		[CG_FILE_CPUS_EFFECTIVE] = "cpuset.effective_cpus",
		[CG_FILE_CPUS] = "cpuset.cpus",
		[CG_FILE_MEMS_EFFECTIVE] = "cpuset.effective_mems",
		[CG_FILE_MEMS] = "cpuset.mems",
		[CG_FILE_IO_BYTES] = "blkio.throttle.io_service_bytes_recursive",
		[CG_FILE_IO_OPS] = "blkio.throttle.io_serviced_recursive",
		[CG_FILE_IO_BYTES_OWN] = "blkio.throttle.io_service_bytes",
		[CG_FILE_IO_OPS_OWN] = "blkio.throttle.io_serviced",
		[CG_FILE_IO_BYTES_BFQ] = "blkio.bfq.io_service_bytes_recursive",
		[CG_FILE_IO_OPS_BFQ] = "blkio.bfq.io_serviced_recursive",
	},
	[CG_V2] = {
		[CG_FILE_MEMORY_MAX] = "memory.max",
		[CG_FILE_MEMORY_HIGH] = "memory.high",
		[CG_FILE_MEMORY_CURRENT] = "memory.current",
		[CG_FILE_MEMORY_STAT] = "memory.stat",
		[CG_FILE_MEMORY_NUMA_STAT] = "memory.numa_stat",
		[CG_FILE_SWAP_MAX] = "memory.swap.max",
		[CG_FILE_SWAP_CURRENT] = "memory.swap.current",
		[CG_FILE_CPU_MAX] = "cpu.max",
		[CG_FILE_CPU_STAT] = "cpu.stat",
		[CG_FILE_CPUS_EFFECTIVE] = "cpuset.cpus.effective",
		[CG_FILE_MEMS_EFFECTIVE] = "cpuset.mems.effective",
		[CG_FILE_IO_STAT] = "io.stat",
	},
};

/* Real containers are some ten levels deep. */
#define MAX_DEPTH 64

/* In struct cg_node.fds, beside descriptors. */
enum { FD_NOT_TRIED = -1, FD_ABSENT = -2 };

struct cg_node {
	atomic_uint refs;
	struct cg_tree *tree;
	struct cg_node *parent; /* a reference */
	size_t hierarchy;
	char *path;
	uint64_t ino;
	int dir;
	struct cg_keeps keeps;
	_Atomic int fds[CG_N_FILES];
};

struct cg_tree {
	const struct cg_layout *layout;
	pthread_mutex_t lock; /* guards nodes, and the last reference of each against a lookup */
	GHashTable *nodes;    /* of struct cg_node, by hierarchy and path; holds no reference */
	atomic_uint n_files;  /* that all of them keep open */
};

static guint node_hash(gconstpointer p)
{
	const struct cg_node *n = p;

	return g_str_hash(n->path) ^ (guint)n->hierarchy;
}

static gboolean node_equal(gconstpointer a, gconstpointer b)
{
	const struct cg_node *x = a, *y = b;

	return x->hierarchy == y->hierarchy && strcmp(x->path, y->path) == 0;
}

struct cg_tree *cg_tree_new(const struct cg_layout *layout)
{
	struct cg_tree *t = g_new0(struct cg_tree, 1);

	t->layout = layout;
	pthread_mutex_init(&t->lock, NULL);
	t->nodes = g_hash_table_new(node_hash, node_equal);
	return t;
}

struct cg_tree *cg_tree_free(struct cg_tree *t)
{
	if (!t)
		return NULL;
	g_hash_table_unref(t->nodes);
	pthread_mutex_destroy(&t->lock);
	g_free(t);
	return NULL;
}

/* Opens the directory of @n, whose path begins with what the hierarchy's mount leaves out. */
static int node_open(struct cg_node *n)
{
	const struct cg_hierarchy *h = &n->tree->layout->hierarchies[n->hierarchy];
	const char *below = n->path;
	struct stat st;

	if (strcmp(h->root, "/") != 0) {
		if (!cg_place_is_below((struct cg_place){ below, strlen(below) },
				       (struct cg_place){ h->root, strlen(h->root) }))
			return -ENOENT;
		below += strlen(h->root);
	}
	below += strspn(below, "/");
	n->dir = sys_open_beneath(h->dir, *below ? below : ".", O_PATH | O_DIRECTORY);
	if (n->dir < 0)
		return n->dir == -ENOENT ? -ENODEV : n->dir;
	if (fstat(n->dir, &st) < 0)
		return -errno;
	n->ino = st.st_ino;
	return 0;
}

static void node_free(struct cg_node *n)
{
	for (size_t i = 0; i < CG_N_FILES; i++) {
		int fd = atomic_load_explicit(&n->fds[i], memory_order_relaxed);

		if (fd < 0)
			continue;
		close(fd);
		atomic_fetch_sub_explicit(&n->tree->n_files, 1, memory_order_relaxed);
	}
	fd_close(&n->dir);
	pthread_mutex_destroy(&n->keeps.lock);
	g_free(n->keeps.what);
	g_free(n->path);
	g_free(n);
}

static int node_new(struct cg_tree *t, size_t hierarchy, const char *path, struct cg_node *parent,
		    struct cg_node **ret)
{
	struct cg_node *n = g_new0(struct cg_node, 1);
	int r;

	atomic_init(&n->refs, 1);
	n->tree = t;
	n->hierarchy = hierarchy;
	n->path = g_strdup(path);
	n->dir = -1;
	pthread_mutex_init(&n->keeps.lock, NULL);
	for (size_t i = 0; i < CG_N_FILES; i++)
		atomic_init(&n->fds[i], FD_NOT_TRIED);
	r = node_open(n);
	if (r < 0) {
		node_free(n);
		return r;
	}
	n->parent = parent;
	*ret = n;
	return 0;
}

/*
 * A cgroup removed and made again under its name is another one: the node of the former is taken
 * out of the table (its users see ENODEV) when its directory no longer is the one at that path.
 */
static bool is_current(const struct cg_node *n)
{
	struct cg_node probe = {
		.tree = n->tree, .hierarchy = n->hierarchy, .path = n->path, .dir = -1
	};
	int r = node_open(&probe);

	fd_close(&probe.dir);
	return r == 0 && probe.ino == n->ino;
}

/* With the lock held: drops a reference, and what of the chain nobody holds then. */
static void unref_locked(struct cg_node *n)
{
	while (n && atomic_fetch_sub(&n->refs, 1) == 1) {
		struct cg_node *parent = n->parent;

		if (g_hash_table_lookup(n->tree->nodes, n) == n)
			g_hash_table_remove(n->tree->nodes, n);
		node_free(n);
		n = parent;
	}
}

/* With the lock held: the node at @path, if it is in the table and still the cgroup there. */
static struct cg_node *find_locked(struct cg_tree *t, size_t hierarchy, char *path)
{
	struct cg_node key = { .hierarchy = hierarchy, .path = path };
	struct cg_node *n = g_hash_table_lookup(t->nodes, &key);

	if (n && is_current(n))
		return cg_node_ref(n);
	if (n)
		g_hash_table_remove(t->nodes, n);
	return NULL;
}

/*
 * With the lock held: the node at @path below *@parent, whose reference is given away for one to
 * the new node. A level that is above what is mounted, or left out, is none: *@parent stays.
 */
static int descend_locked(struct cg_tree *t, size_t hierarchy, char *path, struct cg_node **parent)
{
	struct cg_node *n = find_locked(t, hierarchy, path);
	int r;

	if (n) {
		unref_locked(*parent);
		*parent = n;
		return 0;
	}
	r = node_new(t, hierarchy, path, *parent, &n);
	if (r < 0)
		return r;
	g_hash_table_add(t->nodes, n);
	*parent = n;
	return 0;
}

/*
 * With the lock held: "/a/b" needs "/a" first. Of a chain longer than MAX_DEPTH the levels in the
 * middle are left out: who nests that deep does so to cost us descriptors and time.
 */
static int get_locked(struct cg_tree *t, size_t hierarchy, char *path, struct cg_node **ret)
{
	struct cg_node *n = find_locked(t, hierarchy, path);
	unsigned depth = 0;
	int r;

	if (n) {
		*ret = n;
		return 0;
	}
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		if (++depth >= MAX_DEPTH)
			break;
		*slash = '\0';
		r = descend_locked(t, hierarchy, path, &n);
		*slash = '/';
		/* Above what is mounted: the chain ends there. */
		if (r < 0 && r != -ENOENT) {
			unref_locked(n);
			return r;
		}
	}
	r = descend_locked(t, hierarchy, path, &n);
	if (r < 0) {
		unref_locked(n);
		return r;
	}
	*ret = n;
	return 0;
}

int cg_tree_get(struct cg_tree *t, size_t hierarchy, struct cg_place place, struct cg_node **ret)
{
	g_autofree char *path = NULL;
	int r;

	if (!place.path || place.len == 0 || place.path[0] != '/')
		return -ENOENT;
	if (cg_place_is_root(place)) {
		*ret = NULL;
		return 0;
	}
	path = g_strndup(place.path, place.len);
	pthread_mutex_lock(&t->lock);
	r = get_locked(t, hierarchy, path, ret);
	pthread_mutex_unlock(&t->lock);
	return r;
}

struct cg_node *cg_node_ref(struct cg_node *n)
{
	atomic_fetch_add_explicit(&n->refs, 1, memory_order_relaxed);
	return n;
}

void cg_node_unref(struct cg_node *n)
{
	struct cg_tree *t = n ? n->tree : NULL;

	if (!n)
		return;
	pthread_mutex_lock(&t->lock);
	unref_locked(n);
	pthread_mutex_unlock(&t->lock);
}

enum cg_version cg_node_version(const struct cg_node *n)
{
	return n->tree->layout->hierarchies[n->hierarchy].version;
}

const char *cg_node_path(const struct cg_node *n)
{
	return n->path;
}

int cg_node_dir(const struct cg_node *n)
{
	return n->dir;
}

uint64_t cg_node_ino(const struct cg_node *n)
{
	return n->ino;
}

struct cg_keeps *cg_node_keeps(struct cg_node *n)
{
	return &n->keeps;
}

struct cg_node *cg_node_parent(const struct cg_node *n)
{
	return n->parent;
}

/* The kept descriptor of @file, opened by the first who asks; or -errno. */
static int node_fd(struct cg_node *n, enum cg_file file)
{
	const char *name = file_names[cg_node_version(n)][file];
	int fd = atomic_load_explicit(&n->fds[file], memory_order_acquire), seen = FD_NOT_TRIED;

	if (fd >= 0)
		return fd;
	if (fd == FD_ABSENT || !name)
		return -ENOENT;
	fd = openat(n->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno != ENOENT)
		return -errno;
	if (fd < 0) {
		/*
		 * On v2 controllers come and go, and a dead cgroup has no files: only v1 is sure.
		 */
		if (cg_node_version(n) == CG_V1 && faccessat(n->dir, "cgroup.procs", F_OK, 0) == 0)
			atomic_store(&n->fds[file], FD_ABSENT);
		return -ENOENT;
	}
	if (!atomic_compare_exchange_strong(&n->fds[file], &seen, fd)) {
		close(fd);
		return seen;
	}
	atomic_fetch_add_explicit(&n->tree->n_files, 1, memory_order_relaxed);
	return fd;
}

unsigned cg_tree_files(const struct cg_tree *t)
{
	return atomic_load_explicit(&t->n_files, memory_order_relaxed);
}

struct cg_node *cg_node_with(struct cg_node *n, enum cg_file file)
{
	while (n && node_fd(n, file) < 0)
		n = n->parent;
	return n;
}

ssize_t cg_node_read(struct cg_node *n, enum cg_file file, char *buf, size_t size)
{
	int fd = node_fd(n, file);

	return fd < 0 ? fd : fd_read_once(fd, buf, size);
}
