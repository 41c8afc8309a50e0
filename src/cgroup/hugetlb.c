/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/hugetlb.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "util/fd.h"
#include "util/num.h"
#include "util/sat.h"

enum hugetlb_file { LIMIT, USAGE, RESERVED, N_FILES };

static const char *const names[CG_N_VERSIONS][N_FILES] = {
	[CG_V1] = { "limit_in_bytes", "usage_in_bytes", "rsvd.usage_in_bytes" },
	[CG_V2] = { "max", "current", "rsvd.current" },
};

/* Hosts with huge pages are few, so these files are opened each time. */
static int read_file(struct cg_node *node, uint64_t page_size, enum hugetlb_file file,
		     uint64_t *ret)
{
	char name[64], buf[64];
	uint64_t kib = page_size >> 10;
	ssize_t n;

	/* As the kernel's mem_fmt() names the sizes. */
	(void)snprintf(name, sizeof(name), "hugetlb.%llu%s.%s",
		       (unsigned long long)(kib >= 1 << 20   ? kib >> 20
					    : kib >= 1 << 10 ? kib >> 10
							     : kib),
		       kib >= 1 << 20   ? "GB"
		       : kib >= 1 << 10 ? "MB"
					: "KB",
		       names[cg_node_version(node)][file]);
	n = fd_read_at(cg_node_dir(node), name, buf, sizeof(buf));
	if (n < 0)
		return (int)n;
	if (strcmp(buf, "max\n") == 0) {
		*ret = CG_UNLIMITED;
		return 0;
	}
	return num_parse(buf, ret) ? 0 : -EBADMSG;
}

int cg_hugetlb_read(struct cg_node *node, uint64_t page_size, struct cg_hugetlb *ret)
{
	struct cg_hugetlb h = { .limit = CG_UNLIMITED };
	int r = read_file(node, page_size, USAGE, &h.usage);

	/* A cgroup of v2 that was not handed the controller is governed by those above it. */
	while (r == -ENOENT && cg_node_version(node) == CG_V2 && cg_node_parent(node)) {
		node = cg_node_parent(node);
		r = read_file(node, page_size, USAGE, &h.usage);
	}
	if (r < 0)
		return r;
	r = read_file(node, page_size, RESERVED, &h.reserved);
	if (r < 0 && r != -ENOENT)
		return r;
	for (; node; node = cg_node_parent(node)) {
		uint64_t limit;

		r = read_file(node, page_size, LIMIT, &limit);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0)
			h.limit = min_u64(h.limit, limit);
	}
	*ret = h;
	return 0;
}
