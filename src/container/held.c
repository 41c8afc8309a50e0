/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/held.h"

#include <glib.h>

#include "cgroup/tasks.h"
#include "util/fd.h"

/* On v2 the nearest cgroup that has the controller governs; this file tells that it has. */
static const enum cg_file sign_of[CG_N_CONTROLLERS] = {
	[CG_CPU] = CG_FILE_CPU_MAX,
	[CG_CPUACCT] = CG_FILE_CPU_STAT,
	[CG_CPUSET] = CG_FILE_CPUS_EFFECTIVE,
	[CG_MEMORY] = CG_FILE_MEMORY_CURRENT,
	[CG_IO] = CG_FILE_IO_STAT,
	[CG_HUGETLB] = CG_N_FILES, /* its files are named by page size: see cg_hugetlb_read() */
};

/* Where the tasks are listed is all the same; the first that is not a root will do. */
static const enum cg_controller order[] = { CG_CPUACCT, CG_CPU,    CG_MEMORY,
					    CG_IO,      CG_CPUSET, CG_HUGETLB };

int held_open(struct cg_tree *tree, const struct cg_layout *layout, const char *roots,
	      struct held *ret)
{
	struct cg_place places[CG_MAX_HIERARCHIES];

	*ret = (struct held){ .ns_fd = -1 };
	cg_places_parse(layout, roots, places);
	for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
		enum cg_controller c = order[i];
		int hierarchy = layout->controllers[c], r;
		struct cg_node *own = NULL;

		if (hierarchy < 0 || !places[hierarchy].path)
			continue;
		r = cg_tree_get(tree, (size_t)hierarchy, places[hierarchy], &own);
		if (r < 0) {
			held_clear(ret);
			return r;
		}
		if (!own)
			continue;
		ret->nodes[c] = cg_node_ref(own);
		if (ret->tasks)
			cg_node_unref(own);
		else
			ret->tasks = own;
	}
	return 0;
}

struct cg_node *held_node(const struct held *held, enum cg_controller c)
{
	struct cg_node *own = held->nodes[c];

	if (!own || cg_node_version(own) == CG_V1 || sign_of[c] == CG_N_FILES)
		return own;
	return cg_node_with(own, sign_of[c]);
}

int held_open_tasks(struct cg_tree *tree, const struct cg_layout *layout, const char *roots,
		    struct cg_node **ret)
{
	struct cg_place places[CG_MAX_HIERARCHIES];

	*ret = NULL;
	cg_places_parse(layout, roots, places);
	for (size_t i = 0; i < G_N_ELEMENTS(order) && !*ret; i++) {
		int hierarchy = layout->controllers[order[i]], r;

		if (hierarchy < 0 || !places[hierarchy].path)
			continue;
		r = cg_tree_get(tree, (size_t)hierarchy, places[hierarchy], ret);
		if (r < 0)
			return r;
	}
	return 0;
}

bool held_is_gone(const struct held *held)
{
	for (size_t i = 0; i < CG_N_CONTROLLERS; i++)
		if (held->nodes[i] && cg_tasks_gone(held->nodes[i]))
			return true;
	return false;
}

void held_clear(struct held *held)
{
	for (size_t i = 0; i < CG_N_CONTROLLERS; i++)
		cg_node_unref(held->nodes[i]);
	cg_node_unref(held->tasks);
	fd_close(&held->ns_fd);
	*held = (struct held){ .ns_fd = -1 };
}
