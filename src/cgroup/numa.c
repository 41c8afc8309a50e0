/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup/memory.h"
#include "util/keyed.h"
#include "util/num.h"
#include "util/sat.h"
#include "util/scratch.h"

/* 27 lines with a number for each of up to 1024 nodes. */
#define NUMA_STAT_SIZE (27u * 1024u * 28u)

#define AT(member) offsetof(struct cg_memory, member)

static const struct keyed_field v1_fields[] = {
	{ .key = KEY("hierarchical_total"), .offset = AT(usage) },
	{ .key = KEY("hierarchical_file"), .offset = AT(file) },
	{ .key = KEY("hierarchical_anon"), .offset = AT(anon) },
	{ .key = KEY("hierarchical_unevictable"), .offset = AT(unevictable) },
};

static const struct {
	char key_end; /* what stands behind the key */
	bool in_pages;
} forms[CG_N_VERSIONS] = {
	[CG_V1] = { .key_end = '=', .in_pages = true },
	[CG_V2] = { .key_end = ' ' },
};

/*
 * " N<nid>=<number>" in the line from @p to @end: 0 when there is none (a node without memory).
 * Returns false when what stands there is no number. Never looks beyond @end, where a newline or
 * the end of the text stops every number.
 */
static bool find_node(const char *p, const char *end, unsigned nid, uint64_t *ret)
{
	*ret = 0;
	while ((p = memchr(p, ' ', (size_t)(end - p)))) {
		uint64_t n;

		p++;
		if (*p != 'N')
			continue;
		p++;
		if (!num_take(&p, &n) || *p != '=')
			return false;
		p++;
		if (n == nid)
			return num_take(&p, ret);
	}
	return true;
}

int cg_memory_parse_numa_stat(enum cg_version version, const char *text, unsigned nid,
			      struct cg_memory *ret)
{
	uint64_t unit = forms[version].in_pages ? (uint64_t)sysconf(_SC_PAGESIZE) : 1;
	const struct keyed_field *fields = v1_fields;
	size_t cursor = 0, n = G_N_ELEMENTS(v1_fields);

	/* v2 has the keys of memory.stat. */
	if (version == CG_V2)
		fields = cg_memory_stat_fields(version, &n);

	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n');
		const char *key_end = memchr(line, forms[version].key_end, (size_t)(end - line));
		size_t i = key_end ? keyed_find(fields, sizeof(*fields), n, line,
						(size_t)(key_end - line), &cursor)
				   : n;
		uint64_t v;

		if (i < n) {
			if (!find_node(key_end, end, nid, &v))
				return -EBADMSG;
			v = sat_mul(v, unit);
			memcpy((char *)ret + fields[i].offset, &v, sizeof(v));
		}
		line = *end ? end + 1 : end;
	}
	ret->slab = ret->slab_reclaimable + ret->slab_unreclaimable;
	if (version == CG_V2)
		ret->usage = ret->anon + ret->file + ret->kernel_stack + ret->pagetables +
			     ret->sec_pagetables + ret->slab;
	return 0;
}

int cg_memory_read_node(struct cg_node *node, unsigned nid, struct cg_memory *ret)
{
	static _Thread_local char *thread_buf;
	char *buf = scratch(&thread_buf, NUMA_STAT_SIZE);
	ssize_t n = cg_node_read(node, CG_FILE_MEMORY_NUMA_STAT, buf, NUMA_STAT_SIZE);

	*ret = (struct cg_memory){ 0 };
	return n < 0 ? (int)n : cg_memory_parse_numa_stat(cg_node_version(node), buf, nid, ret);
}

int cg_memory_limit_read(struct cg_node *node, uint64_t *ret)
{
	uint64_t smallest = CG_UNLIMITED;

	for (; node; node = cg_node_parent(node)) {
		uint64_t limit;
		int r = cg_node_read_u64(node, CG_FILE_MEMORY_MAX, &limit);

		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			smallest = min_u64(smallest, limit);
	}
	*ret = smallest;
	return 0;
}
