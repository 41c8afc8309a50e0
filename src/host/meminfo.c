/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/meminfo.h"

#include <glib.h>

#include "util/keyed.h"
#include "util/sat.h"

#define AT(member) offsetof(struct host_meminfo, member)

/* In kB, as the file has them. */
static const struct keyed_field fields[] = {
	{ .key = "MemTotal", .offset = AT(mem_total) },
	{ .key = "MemFree", .offset = AT(mem_free) },
	{ .key = "MemAvailable", .offset = AT(mem_available) },
	{ .key = "Mlocked", .offset = AT(mlocked) },
	{ .key = "SwapTotal", .offset = AT(swap_total) },
	{ .key = "SwapFree", .offset = AT(swap_free) },
	{ .key = "HugePages_Total", .offset = AT(hugepages_total) },
	{ .key = "HugePages_Free", .offset = AT(hugepages_free) },
	{ .key = "HugePages_Rsvd", .offset = AT(hugepages_rsvd) },
	{ .key = "HugePages_Surp", .offset = AT(hugepages_surp) },
	{ .key = "Hugepagesize", .offset = AT(hugepage_size) },
	{ .key = "Hugetlb", .offset = AT(hugetlb) },
};

int host_meminfo_parse(const char *text, struct host_meminfo *ret)
{
	struct host_meminfo m = { 0 };
	uint64_t *const kib[] = { &m.mem_total,  &m.mem_free,  &m.mem_available, &m.mlocked,
				  &m.swap_total, &m.swap_free, &m.hugepage_size, &m.hugetlb };
	int r = keyed_parse(text, ':', fields, G_N_ELEMENTS(fields), &m);

	if (r < 0)
		return r;
	for (size_t i = 0; i < G_N_ELEMENTS(kib); i++)
		*kib[i] = sat_mul(*kib[i], 1024);
	*ret = m;
	return 0;
}
