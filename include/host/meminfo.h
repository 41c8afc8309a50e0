/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The host's /proc/meminfo as numbers. */
#include <stdint.h>

/* Bytes, but the HugePages_ counts. */
struct host_meminfo {
	uint64_t mem_total, mem_free, mem_available;
	uint64_t mlocked;
	uint64_t swap_total, swap_free;
	uint64_t hugepages_total, hugepages_free, hugepages_rsvd, hugepages_surp;
	uint64_t hugepage_size, hugetlb;
};

/* Absent lines stay 0. 0 or -EBADMSG. */
int host_meminfo_parse(const char *text, struct host_meminfo *ret);
