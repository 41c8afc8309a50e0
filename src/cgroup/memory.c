/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/memory.h"

#include <errno.h>
#include <glib.h>

#include "util/keyed.h"
#include "util/sat.h"
#include "util/sys.h"

/* memory.stat is about 1.5 KiB (v2, Linux 6.18); numbers of 20 digits would make it 3. */
#define STAT_SIZE 8192

/*
 * The kernel makes these numbers from what its CPUs handed in, which may be two seconds old
 * (FLUSH_TIME in mm/memcontrol.c), and its text is a fifth of what a read of meminfo costs.
 */
#define STAT_MAX_AGE_MS 10

#define AT(member) offsetof(struct cg_memory, member)

/* The "total_" lines are those of the cgroup and all below it. In the kernel's order. */
static const struct keyed_field v1_stat[] = {
	{ .key = KEY("hierarchical_memory_limit"), .offset = AT(limit) },
	{ .key = KEY("total_cache"), .offset = AT(file) },
	{ .key = KEY("total_rss"), .offset = AT(anon) },
	{ .key = KEY("total_rss_huge"), .offset = AT(anon_thp) },
	{ .key = KEY("total_shmem"), .offset = AT(shmem) },
	{ .key = KEY("total_mapped_file"), .offset = AT(file_mapped) },
	{ .key = KEY("total_dirty"), .offset = AT(file_dirty) },
	{ .key = KEY("total_writeback"), .offset = AT(file_writeback) },
	{ .key = KEY("total_swapcached"), .offset = AT(swapcached) },
	{ .key = KEY("total_inactive_anon"), .offset = AT(inactive_anon) },
	{ .key = KEY("total_active_anon"), .offset = AT(active_anon) },
	{ .key = KEY("total_inactive_file"), .offset = AT(inactive_file) },
	{ .key = KEY("total_active_file"), .offset = AT(active_file) },
	{ .key = KEY("total_unevictable"), .offset = AT(unevictable) },
};

static const struct keyed_field v2_stat[] = {
	{ .key = KEY("anon"), .offset = AT(anon) },
	{ .key = KEY("file"), .offset = AT(file) },
	{ .key = KEY("kernel_stack"), .offset = AT(kernel_stack) },
	{ .key = KEY("pagetables"), .offset = AT(pagetables) },
	{ .key = KEY("sec_pagetables"), .offset = AT(sec_pagetables) },
	{ .key = KEY("percpu"), .offset = AT(percpu) },
	{ .key = KEY("vmalloc"), .offset = AT(vmalloc) },
	{ .key = KEY("shmem"), .offset = AT(shmem) },
	{ .key = KEY("zswap"), .offset = AT(zswap) },
	{ .key = KEY("zswapped"), .offset = AT(zswapped) },
	{ .key = KEY("file_mapped"), .offset = AT(file_mapped) },
	{ .key = KEY("file_dirty"), .offset = AT(file_dirty) },
	{ .key = KEY("file_writeback"), .offset = AT(file_writeback) },
	{ .key = KEY("swapcached"), .offset = AT(swapcached) },
	{ .key = KEY("anon_thp"), .offset = AT(anon_thp) },
	{ .key = KEY("file_thp"), .offset = AT(file_thp) },
	{ .key = KEY("shmem_thp"), .offset = AT(shmem_thp) },
	{ .key = KEY("inactive_anon"), .offset = AT(inactive_anon) },
	{ .key = KEY("active_anon"), .offset = AT(active_anon) },
	{ .key = KEY("inactive_file"), .offset = AT(inactive_file) },
	{ .key = KEY("active_file"), .offset = AT(active_file) },
	{ .key = KEY("unevictable"), .offset = AT(unevictable) },
	{ .key = KEY("slab_reclaimable"), .offset = AT(slab_reclaimable) },
	{ .key = KEY("slab_unreclaimable"), .offset = AT(slab_unreclaimable) },
	{ .key = KEY("slab"), .offset = AT(slab) },
};

static const struct {
	const struct keyed_field *fields;
	size_t n;
} stat_fields[CG_N_VERSIONS] = {
	[CG_V1] = { .fields = v1_stat, .n = G_N_ELEMENTS(v1_stat) },
	[CG_V2] = { .fields = v2_stat, .n = G_N_ELEMENTS(v2_stat) },
};

const struct keyed_field *cg_memory_stat_fields(enum cg_version version, size_t *ret_n)
{
	*ret_n = stat_fields[version].n;
	return stat_fields[version].fields;
}

int cg_memory_parse_stat(enum cg_version version, const char *text, struct cg_memory *ret)
{
	return keyed_parse(text, ' ', stat_fields[version].fields, stat_fields[version].n, ret);
}

/* As cg_node_read_u64(), an absent file being @absent. */
static int read_or(struct cg_node *node, enum cg_file file, uint64_t absent, uint64_t *ret)
{
	int r = cg_node_read_u64(node, file, ret);

	if (r != -ENOENT)
		return r;
	*ret = absent;
	return 0;
}

/* v1 counts kernel memory in one number, v2 in memory.stat. */
static int read_slab_v1(struct cg_node *node, struct cg_memory *ret)
{
	int r = read_or(node, CG_FILE_KMEM_CURRENT, 0, &ret->slab_unreclaimable);

	ret->slab = ret->slab_unreclaimable;
	return r;
}

static int read_slab_v2(struct cg_node *node, struct cg_memory *ret)
{
	(void)node, (void)ret;
	return 0;
}

static int (*const read_slab[CG_N_VERSIONS])(struct cg_node *node, struct cg_memory *ret) = {
	[CG_V1] = read_slab_v1,
	[CG_V2] = read_slab_v2,
};

static int read_stat(struct cg_node *node, struct cg_memory *ret)
{
	struct cg_memory m = { .limit = CG_UNLIMITED,
			       .free = CG_UNLIMITED,
			       .available = CG_UNLIMITED };
	enum cg_version version = cg_node_version(node);
	char buf[STAT_SIZE];
	ssize_t n = cg_node_read(node, CG_FILE_MEMORY_STAT, buf, sizeof(buf));
	int r = n < 0 ? (int)n : cg_memory_parse_stat(version, buf, &m);

	m.limit = cg_limit(m.limit);
	if (r == 0)
		r = read_slab[version](node, &m);
	if (r == 0)
		*ret = m;
	return r;
}

struct kept {
	uint64_t made_ms;
	uint64_t max; /* of the cgroup then */
	struct cg_memory stat;
};

/* As read_stat(), or what it said of late, unless the limit @max of the cgroup is a new one. */
static int get_stat(struct cg_node *node, uint64_t max, struct cg_memory *ret)
{
	struct cg_keeps *keeps = cg_node_keeps(node);
	uint64_t now = sys_coarse_ms();
	struct kept *kept;
	bool fresh;
	int r;

	pthread_mutex_lock(&keeps->lock);
	kept = keeps->what;
	fresh = kept && kept->max == max && now - kept->made_ms <= STAT_MAX_AGE_MS;
	if (fresh)
		*ret = kept->stat;
	pthread_mutex_unlock(&keeps->lock);
	if (fresh)
		return 0;
	r = read_stat(node, ret);
	if (r < 0)
		return r;
	pthread_mutex_lock(&keeps->lock);
	if (!keeps->what)
		keeps->what = g_new(struct kept, 1);
	kept = keeps->what;
	*kept = (struct kept){ .made_ms = now, .max = max, .stat = *ret };
	pthread_mutex_unlock(&keeps->lock);
	return 0;
}

/*
 * One level of the chain: fold its limits into @ret, and if it is the container's @own, its
 * numbers.
 *
 * v1's memory.stat tells the least limit of the chain, also of levels that are not mounted here.
 * Where that is one of a level above, that level has less free than what is taken here for the
 * container's own.
 */
static int fold_level(struct cg_node *node, bool own, struct cg_memory *ret)
{
	struct cg_memory level = { 0 };
	uint64_t max = CG_UNLIMITED, high = CG_UNLIMITED, usage = 0, reclaimable;
	int r = read_or(node, CG_FILE_MEMORY_MAX, CG_UNLIMITED, &max);

	if (r == 0)
		r = read_or(node, CG_FILE_MEMORY_HIGH, CG_UNLIMITED, &high);
	if (r < 0 || (!own && max == CG_UNLIMITED && high == CG_UNLIMITED))
		return r;
	r = get_stat(node, max, &level);
	if (r == 0)
		r = read_or(node, CG_FILE_MEMORY_CURRENT, 0, &usage);
	if (r < 0)
		return r;
	if (own) {
		*ret = level;
		ret->usage = usage;
		max = min_u64(max, level.limit);
	}
	reclaimable = level.active_file + level.inactive_file + level.slab_reclaimable;
	ret->limit = min_u64(ret->limit, max);
	if (max != CG_UNLIMITED)
		ret->free = min_u64(ret->free, sat_sub(max, usage));
	if (min_u64(max, high) != CG_UNLIMITED)
		ret->available = min_u64(ret->available,
					 sat_sub(sat_add(min_u64(max, high), reclaimable), usage));
	return 0;
}

static int fold_swap_limits(struct cg_node *node, struct cg_swap *ret)
{
	ret->limit = CG_UNLIMITED;
	for (; node; node = cg_node_parent(node)) {
		uint64_t limit;
		int r = read_or(node, CG_FILE_SWAP_MAX, CG_UNLIMITED, &limit);

		if (r < 0)
			return r;
		ret->limit = min_u64(ret->limit, limit);
	}
	return 0;
}

/* v1 counts memory and swap together; a cgroup told not to swap has none until it has. */
static int read_swap_v1(struct cg_node *node, struct cg_swap *ret)
{
	uint64_t memsw = 0, memory = 0, swappiness = 0;
	int r = cg_node_read_u64(node, CG_FILE_SWAP_CURRENT, &memsw);

	if (r == 0)
		r = cg_node_read_u64(node, CG_FILE_MEMORY_CURRENT, &memory);
	if (r < 0)
		return r;
	ret->usage = sat_sub(memsw, memory);
	if (ret->usage == 0) {
		r = read_or(node, CG_FILE_SWAPPINESS, 1, &swappiness);
		if (r < 0 || swappiness == 0)
			return r;
	}
	return fold_swap_limits(node, ret);
}

static int read_swap_v2(struct cg_node *node, struct cg_swap *ret)
{
	int r = cg_node_read_u64(node, CG_FILE_SWAP_CURRENT, &ret->usage);

	return r < 0 ? r : fold_swap_limits(node, ret);
}

static int (*const read_swap[CG_N_VERSIONS])(struct cg_node *node, struct cg_swap *ret) = {
	[CG_V1] = read_swap_v1,
	[CG_V2] = read_swap_v2,
};

int cg_memory_read(struct cg_node *node, struct cg_memory *ret)
{
	struct cg_memory m = { 0 };
	int r = 0;

	for (struct cg_node *level = node; level && r == 0; level = cg_node_parent(level))
		r = fold_level(level, level == node, &m);
	if (r == 0)
		*ret = m;
	return r;
}

int cg_swap_read(struct cg_node *node, struct cg_swap *ret)
{
	struct cg_swap swap = { 0 };
	int r = read_swap[cg_node_version(node)](node, &swap);

	if (r == -ENOENT) /* no swap accounting */
		r = 0;
	if (r == 0)
		*ret = swap;
	return r;
}
