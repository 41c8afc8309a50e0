/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * One cgroup of one hierarchy, held open: its directory and, once they were read, its files. Nodes
 * are shared: two containers below one parent have one parent node. The root of a hierarchy is no
 * node (it has no limits): a chain from a node upwards ends with NULL.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup/layout.h"

/* What can be read of a cgroup, under v2's words; src/cgroup/node.c has the names in v1 and v2. */
enum cg_file {
	CG_FILE_MEMORY_MAX,
	CG_FILE_MEMORY_HIGH,
	CG_FILE_MEMORY_CURRENT,
	CG_FILE_MEMORY_STAT,
	CG_FILE_MEMORY_NUMA_STAT,
	CG_FILE_SWAP_MAX, /* v1: memory and swap together */
	CG_FILE_SWAP_CURRENT,
	CG_FILE_SWAPPINESS,
	CG_FILE_KMEM_CURRENT,
	CG_FILE_CPU_MAX, /* v1: the quota alone */
	CG_FILE_CPU_PERIOD,
	CG_FILE_CPU_STAT,
	CG_FILE_CPUACCT_ALL,
	CG_FILE_CPUACCT_STAT,
	CG_FILE_CPUACCT_USAGE,
	CG_FILE_CPUS_EFFECTIVE,
	CG_FILE_CPUS,
	CG_FILE_MEMS_EFFECTIVE,
	CG_FILE_MEMS,
	CG_FILE_IO_STAT,
	CG_FILE_IO_BYTES,
	CG_FILE_IO_OPS,
	CG_FILE_IO_BYTES_OWN,
	CG_FILE_IO_OPS_OWN,
	CG_FILE_IO_BYTES_BFQ,
	CG_FILE_IO_OPS_BFQ,
	CG_N_FILES,
};

struct cg_node;
struct cg_tree;

/* All nodes in use; @layout is borrowed and outlives the tree. */
struct cg_tree *cg_tree_new(const struct cg_layout *layout);
struct cg_tree *cg_tree_free(struct cg_tree *tree);

/*
 * The node of the cgroup at @place of hierarchy number @hierarchy. Thread-safe.
 *
 * Returns 0 with a reference in *@ret, which is NULL for the hierarchy's root, -ENODEV: no such
 * cgroup (any more), -ENOENT: it is not below what is mounted, or -errno.
 */
int cg_tree_get(struct cg_tree *tree, size_t hierarchy, struct cg_place place,
		struct cg_node **ret);

/* How many files all nodes together keep open; each costs the kernel some 5 KiB. */
unsigned cg_tree_files(const struct cg_tree *tree);

void cg_node_unref(struct cg_node *node);
struct cg_node *cg_node_ref(struct cg_node *node);

enum cg_version cg_node_version(const struct cg_node *node);
const char *cg_node_path(const struct cg_node *node); /* "/a/b" */

/* The directory, O_PATH, and its inode number, which the kernel gives to no later cgroup. */
int cg_node_dir(const struct cg_node *node);
uint64_t cg_node_ino(const struct cg_node *node);

/* The parent, borrowed; NULL: the hierarchy's root. */
struct cg_node *cg_node_parent(const struct cg_node *node);

/* What one module (memory.c) keeps with a node between reads: g_free()d with it, NULL at first. */
struct cg_keeps {
	pthread_mutex_t lock; /* guards .what */
	void *what;
};

struct cg_keeps *cg_node_keeps(struct cg_node *node);

/*
 * The nearest of @node and those above it that has @file: on v2 a cgroup whose parent did not
 * hand a controller down is governed by that parent. Borrowed; NULL: none below the root.
 */
struct cg_node *cg_node_with(struct cg_node *node, enum cg_file file);

/*
 * Read one file, opened once and then kept, see fd_read_once(). Returns the length, -ENOENT: this
 * version or kernel has no such file, -ENODEV: the cgroup is gone, or -errno.
 */
ssize_t cg_node_read(struct cg_node *node, enum cg_file file, char *buf, size_t size);

/*
 * Read a file that holds one number, or "max" or v1's biggest number, both CG_UNLIMITED.
 * Returns 0, or as cg_node_read(), or -EBADMSG; *@ret is set on success alone.
 */
int cg_node_read_u64(struct cg_node *node, enum cg_file file, uint64_t *ret);

#define CG_UNLIMITED UINT64_MAX

/* v1's "none" is LONG_MAX rounded down to the page size, which may be 64 KiB. */
static inline uint64_t cg_limit(uint64_t v)
{
	return v >= (uint64_t)INT64_MAX - 0xffff ? CG_UNLIMITED : v;
}
