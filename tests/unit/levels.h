/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Cgroups with limits of memory, and what is read of them. */
#include "cgroup/memory.h"

#include "fixture.h"

/* One cgroup of a scratch host: "max current", and what more files it has. */
FIXTURE_UNUSED static void level(struct lab *lab, const char *path, const char *max,
				 const char *usage, const char *stat)
{
	bool v1 = lab->layout->hierarchies[0].version == CG_V1;
	const char *const rows[][2] = { { v1 ? "memory.limit_in_bytes" : "memory.max", max },
					{ v1 ? "memory.usage_in_bytes" : "memory.current", usage },
					{ "memory.stat", stat } };

	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autofree char *file = g_strconcat("cg", path, "/", rows[i][0], NULL);

		if (rows[i][1])
			lab_write(lab, file, rows[i][1]);
	}
}

FIXTURE_UNUSED static int read_at(struct lab *lab, const char *path, struct cg_memory *ret)
{
	struct cg_node *node = lab_node(lab, CG_MEMORY, path);
	int r = cg_memory_read(node, ret);

	cg_node_unref(node);
	return r;
}

FIXTURE_UNUSED static struct cg_memory memory_at(struct lab *lab, const char *path)
{
	struct cg_memory m;

	memset(&m, 0xa5, sizeof(m));
	assert_int_equal(read_at(lab, path, &m), 0);
	return m;
}
