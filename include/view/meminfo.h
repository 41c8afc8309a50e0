/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* /proc/meminfo and /proc/swaps: what is computed, apart from where it comes from. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup/hugetlb.h"
#include "cgroup/memory.h"
#include "host/meminfo.h"
#include "util/keyed.h"
#include "util/text.h"

/*
 * Readers within the same tick of the coarse clock (1 to 10 ms) share the host's numbers: with many
 * containers that is most of what a read costs.
 */
#define HOST_MEMINFO_MAX_AGE_MS 0

struct meminfo_input {
	struct host_meminfo host;
	struct cg_memory cg;
	struct cg_swap swap;
	struct cg_hugetlb hugetlb; /* limit 0: no controller */
	uint64_t overcommit_ratio; /* percent */
	uint64_t overcommit_bytes; /* 0: the ratio counts */
};

/* One line that a container sees otherwise. Neither .fn nor .cg: 0. */
struct meminfo_row {
	struct key key;
	uint64_t (*fn)(const struct meminfo_input *in);
	size_t cg;  /* MEMINFO_CG(member) */
	bool count; /* not in kB */
};

#define MEMINFO_CG(member) (offsetof(struct cg_memory, member) + 1)

/*
 * Append @host_text, whose lines begin with @prefix, with the lines replaced that @table has, or
 * else /proc/meminfo's own; names of counts are padded to @count_name_width.
 */
void meminfo_render_rows(const char *host_text, const char *prefix, const struct meminfo_row *table,
			 size_t n_rows, size_t count_name_width, const struct meminfo_input *in,
			 struct text *out);

/*
 * Append @host_text with every line that a container sees otherwise replaced; order and padding
 * are the host's.
 */
void meminfo_render(const char *host_text, const struct meminfo_input *in, struct text *out);

/*
 * The same for /sys/devices/system/node/nodeN/meminfo; in->host and in->cg are those of the node.
 */
void node_meminfo_render(const char *host_text, unsigned nid, const struct meminfo_input *in,
			 struct text *out);

/* The container's swap: min(limit, the host's), but never less than it uses. Bytes. */
uint64_t swap_total(const struct host_meminfo *host, const struct cg_swap *swap);

/* /proc/swaps: the header, and one line for the container's swap when it has any. */
void swaps_render(uint64_t total, uint64_t usage, struct text *out);
