/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* From a node and its reader to the text of the file. */
#include <sys/types.h>

#include "container/container.h"
#include "fs/tree.h"
#include "util/text.h"
#include "view/request.h"

struct renderer {
	struct host *host;
	struct container_table *containers;
	const struct view_options *options;
};

/* Whose text it is, when it is the host's. */
#define RENDER_HOST UINT64_C(1)

/*
 * Append what @reader (a host pid or tid) sees in the file @node to @out, which is empty. A reader
 * in no container, and one that is gone, sees the host's; one whose cgroup is removed each time
 * that it is looked up gets -ENODEV. *@ret_owner is state_place() of the container, or RENDER_HOST.
 * 0 or -errno.
 */
int render(const struct renderer *r, const struct node *node, pid_t reader, struct text *out,
	   uint64_t *ret_owner);

/*
 * Below MOUNTPOINT/containers: a process of the host may look at any container, another one only
 * at its own (such a file may be bound into it). 0 or -EACCES.
 */
int render_check(const struct renderer *r, const struct node *node, pid_t reader);
