/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/meminfo.h"

#include <glib.h>

#include "util/keyed.h"
#include "util/sat.h"

#define AT(member) offsetof(struct host_meminfo, member)

/* In kB, as the file has them. */
static const struct keyed_field fields[] = {
	{ .key = KEY("MemTotal"), .offset = AT(mem_total) },
	{ .key = KEY("MemFree"), .offset = AT(mem_free) },
	{ .key = KEY("MemAvailable"), .offset = AT(mem_available) },
	{ .key = KEY("Mlocked"), .offset = AT(mlocked) },
	{ .key = KEY("SwapTotal"), .offset = AT(swap_total) },
	{ .key = KEY("SwapFree"), .offset = AT(swap_free) },
	{ .key = KEY("HugePages_Total"), .offset = AT(hugepages_total) },
	{ .key = KEY("HugePages_Free"), .offset = AT(hugepages_free) },
	{ .key = KEY("HugePages_Rsvd"), .offset = AT(hugepages_rsvd) },
	{ .key = KEY("HugePages_Surp"), .offset = AT(hugepages_surp) },
	{ .key = KEY("Hugepagesize"), .offset = AT(hugepage_size) },
	{ .key = KEY("Hugetlb"), .offset = AT(hugetlb) },
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
