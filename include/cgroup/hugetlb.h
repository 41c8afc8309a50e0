/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Huge pages of one size that a cgroup may have and has. */
#include <stdint.h>

#include "cgroup/node.h"

/* In bytes. */
struct cg_hugetlb {
	uint64_t limit; /* smallest of the chain; CG_UNLIMITED: none */
	uint64_t usage;
	uint64_t reserved; /* promised, of which .usage is a part; 0 where the kernel doesn't say */
};

/*
 * Reads hugetlb.SIZE.max, .current and .rsvd.current (v1: .limit_in_bytes, .usage_in_bytes,
 * .rsvd.usage_in_bytes) for pages of @page_size bytes. 0, -ENODEV, -ENOENT: no such page size, or
 * -errno.
 */
int cg_hugetlb_read(struct cg_node *node, uint64_t page_size, struct cg_hugetlb *ret);
