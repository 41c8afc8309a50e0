/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a container's memory cgroup, and those above it, say: one vocabulary for v1 and v2. */
#include <stdint.h>

#include "cgroup/node.h"
#include "util/keyed.h"

/* All in bytes. Absent fields of memory.stat are 0. */
struct cg_memory {
	uint64_t limit; /* smallest of the chain; CG_UNLIMITED if none */
	uint64_t free;  /* smallest (limit - usage) of the chain; CG_UNLIMITED if none */
	uint64_t
		available; /* as free, what can be reclaimed added; memory.high counts as a limit */
	uint64_t usage;    /* of the cgroup itself, as the rest */
	uint64_t swapcached;
	uint64_t anon, file, shmem;
	uint64_t active_anon, inactive_anon, active_file, inactive_file, unevictable;
	uint64_t file_mapped, file_dirty, file_writeback;
	uint64_t slab, slab_reclaimable, slab_unreclaimable;
	uint64_t kernel_stack, pagetables, sec_pagetables, percpu, vmalloc;
	uint64_t anon_thp, shmem_thp, file_thp;
	uint64_t zswap, zswapped;
};

/*
 * Reads memory.stat, memory.current, memory.max, memory.high (v1: memory.stat,
 * memory.usage_in_bytes, memory.limit_in_bytes, memory.kmem.usage_in_bytes) of @node and the limits
 * of its chain. What comes from memory.stat may be 10 ms old, and v1's kernel memory; not so when
 * the limit has changed. Returns 0, -ENODEV or -ENOENT when the cgroup is gone, or -errno.
 */
int cg_memory_read(struct cg_node *node, struct cg_memory *ret);

/* In bytes. Both 0 where swap is not accounted. */
struct cg_swap {
	uint64_t limit; /* smallest of the chain; on v1, of memory and swap together */
	uint64_t usage; /* of swap alone */
};

/*
 * Reads memory.swap.current and memory.swap.max (v1: memory.memsw.*, memory.usage_in_bytes,
 * memory.swappiness) of @node and the limits of its chain. As cg_memory_read().
 */
int cg_swap_read(struct cg_node *node, struct cg_swap *ret);

/*
 * What memory.numa_stat says of memory node @nid, in the fields of the same meaning; .usage is the
 * sum. Absent fields are 0. Returns 0, -ENODEV, -ENOENT: the kernel has no such file, or -errno.
 */
int cg_memory_read_node(struct cg_node *node, unsigned nid, struct cg_memory *ret);
int cg_memory_parse_numa_stat(enum cg_version version, const char *text, unsigned nid,
			      struct cg_memory *ret);

/* The smallest memory.max (v1: memory.limit_in_bytes) of the chain. 0, -ENODEV or -errno. */
int cg_memory_limit_read(struct cg_node *node, uint64_t *ret);

/* The keys of memory.stat and where they go; *@ret_n of them. */
const struct keyed_field *cg_memory_stat_fields(enum cg_version version, size_t *ret_n);

/* The parsers of memory.stat: fill what it holds, leave the rest. 0 or -EBADMSG. */
int cg_memory_parse_stat(enum cg_version version, const char *text, struct cg_memory *ret);
