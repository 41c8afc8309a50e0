/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/meminfo.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "util/keyed.h"
#include "util/num.h"
#include "util/sat.h"
#include "view/views.h"

/* Sysctls of the memory manager: set at boot. */
#define SYSCTL_MAX_AGE_MS 10000

/* From fs/proc/meminfo.c: "%-16s%8lu kB", and for the counts "HugePages_Total:   %5lu". */
#define NAME_WIDTH       16
#define NUMBER_WIDTH     8
#define COUNT_NAME_WIDTH 19
#define COUNT_WIDTH      5

static uint64_t mem_total(const struct meminfo_input *in)
{
	return min_u64(in->cg.limit, in->host.mem_total);
}

static uint64_t mem_free(const struct meminfo_input *in)
{
	return min_u64(min_u64(in->cg.free, in->host.mem_free), mem_total(in));
}

/* Capped: libproc2 takes MemAvailable > MemTotal as the mark of a broken container. */
static uint64_t mem_available(const struct meminfo_input *in)
{
	return min_u64(min_u64(in->cg.available, in->host.mem_available), mem_total(in));
}

static uint64_t active(const struct meminfo_input *in)
{
	return in->cg.active_anon + in->cg.active_file;
}

static uint64_t inactive(const struct meminfo_input *in)
{
	return in->cg.inactive_anon + in->cg.inactive_file;
}

static uint64_t mlocked(const struct meminfo_input *in)
{
	return min_u64(in->host.mlocked, in->cg.unevictable);
}

uint64_t swap_total(const struct host_meminfo *host, const struct cg_swap *swap)
{
	return max_u64(min_u64(swap->limit, host->swap_total), swap->usage);
}

static uint64_t swap_size(const struct meminfo_input *in)
{
	return swap_total(&in->host, &in->swap);
}

static uint64_t swap_free(const struct meminfo_input *in)
{
	return sat_sub(swap_size(in), in->swap.usage);
}

/* As vm_commit_limit(): huge pages are no memory that could be promised. */
static uint64_t commit_limit(const struct meminfo_input *in)
{
	uint64_t huge = min_u64(in->hugetlb.limit, in->host.hugetlb);
	uint64_t ram = in->overcommit_bytes
			       ? in->overcommit_bytes
			       : sat_mul(sat_sub(mem_total(in), huge), in->overcommit_ratio) / 100;

	return sat_add(ram, swap_size(in));
}

/* A lower bound: no cgroup counts what was promised but never touched. */
static uint64_t committed(const struct meminfo_input *in)
{
	return in->cg.anon + in->cg.shmem + in->swap.usage;
}

static uint64_t hugetlb(const struct meminfo_input *in)
{
	return min_u64(in->hugetlb.limit, in->host.hugetlb);
}

static uint64_t pages(const struct meminfo_input *in, uint64_t bytes)
{
	return in->host.hugepage_size ? bytes / in->host.hugepage_size : 0;
}

static uint64_t hugepages_total(const struct meminfo_input *in)
{
	return min_u64(in->host.hugepages_total, pages(in, in->hugetlb.limit));
}

static uint64_t hugepages_free(const struct meminfo_input *in)
{
	return min_u64(in->host.hugepages_free,
		       sat_sub(hugepages_total(in), pages(in, in->hugetlb.usage)));
}

static uint64_t hugepages_rsvd(const struct meminfo_input *in)
{
	return min_u64(in->host.hugepages_rsvd,
		       pages(in, sat_sub(in->hugetlb.reserved, in->hugetlb.usage)));
}

static uint64_t hugepages_surp(const struct meminfo_input *in)
{
	return min_u64(in->host.hugepages_surp, hugepages_total(in));
}

/* Every line without a row is the host's. In the kernel's order. */
static const struct meminfo_row rows[] = {
	{ .key = KEY("MemTotal"), .fn = mem_total },
	{ .key = KEY("MemFree"), .fn = mem_free },
	{ .key = KEY("MemAvailable"), .fn = mem_available },
	{ .key = KEY("Buffers") },
	{ .key = KEY("Cached"), .cg = MEMINFO_CG(file) },
	{ .key = KEY("SwapCached"), .cg = MEMINFO_CG(swapcached) },
	{ .key = KEY("Active"), .fn = active },
	{ .key = KEY("Inactive"), .fn = inactive },
	{ .key = KEY("Active(anon)"), .cg = MEMINFO_CG(active_anon) },
	{ .key = KEY("Inactive(anon)"), .cg = MEMINFO_CG(inactive_anon) },
	{ .key = KEY("Active(file)"), .cg = MEMINFO_CG(active_file) },
	{ .key = KEY("Inactive(file)"), .cg = MEMINFO_CG(inactive_file) },
	{ .key = KEY("Unevictable"), .cg = MEMINFO_CG(unevictable) },
	{ .key = KEY("Mlocked"), .fn = mlocked },
	{ .key = KEY("SwapTotal"), .fn = swap_size },
	{ .key = KEY("SwapFree"), .fn = swap_free },
	{ .key = KEY("Zswap"), .cg = MEMINFO_CG(zswap) },
	{ .key = KEY("Zswapped"), .cg = MEMINFO_CG(zswapped) },
	{ .key = KEY("Dirty"), .cg = MEMINFO_CG(file_dirty) },
	{ .key = KEY("Writeback"), .cg = MEMINFO_CG(file_writeback) },
	{ .key = KEY("AnonPages"), .cg = MEMINFO_CG(anon) },
	{ .key = KEY("Mapped"), .cg = MEMINFO_CG(file_mapped) },
	{ .key = KEY("Shmem"), .cg = MEMINFO_CG(shmem) },
	{ .key = KEY("KReclaimable"), .cg = MEMINFO_CG(slab_reclaimable) },
	{ .key = KEY("Slab"), .cg = MEMINFO_CG(slab) },
	{ .key = KEY("SReclaimable"), .cg = MEMINFO_CG(slab_reclaimable) },
	{ .key = KEY("SUnreclaim"), .cg = MEMINFO_CG(slab_unreclaimable) },
	{ .key = KEY("KernelStack"), .cg = MEMINFO_CG(kernel_stack) },
	{ .key = KEY("PageTables"), .cg = MEMINFO_CG(pagetables) },
	{ .key = KEY("SecPageTables"), .cg = MEMINFO_CG(sec_pagetables) },
	{ .key = KEY("NFS_Unstable") },
	{ .key = KEY("Bounce") },
	{ .key = KEY("WritebackTmp") },
	{ .key = KEY("CommitLimit"), .fn = commit_limit },
	{ .key = KEY("Committed_AS"), .fn = committed },
	{ .key = KEY("VmallocUsed"), .cg = MEMINFO_CG(vmalloc) },
	{ .key = KEY("Percpu"), .cg = MEMINFO_CG(percpu) },
	{ .key = KEY("HardwareCorrupted") },
	{ .key = KEY("AnonHugePages"), .cg = MEMINFO_CG(anon_thp) },
	{ .key = KEY("ShmemHugePages"), .cg = MEMINFO_CG(shmem_thp) },
	{ .key = KEY("ShmemPmdMapped") },
	{ .key = KEY("FileHugePages"), .cg = MEMINFO_CG(file_thp) },
	{ .key = KEY("FilePmdMapped") },
	{ .key = KEY("CmaTotal") },
	{ .key = KEY("CmaFree") },
	{ .key = KEY("Unaccepted") },
	{ .key = KEY("Balloon") },
	{ .key = KEY("HugePages_Total"), .fn = hugepages_total, .count = true },
	{ .key = KEY("HugePages_Free"), .fn = hugepages_free, .count = true },
	{ .key = KEY("HugePages_Rsvd"), .fn = hugepages_rsvd, .count = true },
	{ .key = KEY("HugePages_Surp"), .fn = hugepages_surp, .count = true },
	{ .key = KEY("Hugetlb"), .fn = hugetlb },
};

static uint64_t row_value(const struct meminfo_row *row, const struct meminfo_input *in)
{
	uint64_t v = 0;

	if (row->fn)
		return row->fn(in);
	if (row->cg)
		memcpy(&v, (const char *)&in->cg + row->cg - 1, sizeof(v));
	return v;
}

static void put_row(const struct meminfo_row *row, size_t key_len, size_t count_name_width,
		    const struct meminfo_input *in, struct text *out)
{
	size_t name_width = row->count ? count_name_width : NAME_WIDTH;
	uint64_t v = row_value(row, in);

	text_mem(out, row->key.str, key_len);
	text_mem(out, ":", 1);
	if (key_len + 1 < name_width)
		text_fill(out, ' ', name_width - key_len - 1);
	text_u64_width(out, row->count ? v : v / 1024, row->count ? COUNT_WIDTH : NUMBER_WIDTH);
	text_str(out, row->count ? "\n" : " kB\n");
}

/* The row of @key in @table, else in that of /proc/meminfo; or NULL. */
static const struct meminfo_row *find_row(const struct meminfo_row *table, size_t n,
					  const char *key, size_t len, size_t cursors[2])
{
	size_t i = n ? keyed_find(table, sizeof(*table), n, key, len, &cursors[0]) : n;

	if (i < n)
		return &table[i];
	i = keyed_find(rows, sizeof(*rows), G_N_ELEMENTS(rows), key, len, &cursors[1]);
	return i < G_N_ELEMENTS(rows) ? &rows[i] : NULL;
}

void meminfo_render_rows(const char *host_text, const char *prefix, const struct meminfo_row *table,
			 size_t n_rows, size_t count_name_width, const struct meminfo_input *in,
			 struct text *out)
{
	size_t cursors[2] = { 0 }, prefix_len = strlen(prefix);

	for (const char *line = host_text; *line;) {
		const char *end = strchrnul(line, '\n'), *key = line;
		const char *colon = memchr(line, ':', (size_t)(end - line));
		const struct meminfo_row *row;
		size_t len;

		if (strncmp(line, prefix, prefix_len) == 0)
			key += prefix_len;
		len = colon && colon > key ? (size_t)(colon - key) : 0;
		row = find_row(table, n_rows, key, len, cursors);
		if (row) {
			text_mem(out, line, (size_t)(key - line));
			put_row(row, len, count_name_width, in, out);
		} else {
			text_mem(out, line, (size_t)(end - line) + (*end == '\n'));
		}
		line = *end ? end + 1 : end;
	}
}

void meminfo_render(const char *host_text, const struct meminfo_input *in, struct text *out)
{
	meminfo_render_rows(host_text, "", NULL, 0, COUNT_NAME_WIDTH, in, out);
}

static uint64_t host_number(const struct request *req, enum host_file file, uint64_t absent)
{
	AUTO_HOST_TEXT struct host_text *t = NULL;
	uint64_t v;

	if (host_text_get(req->host, file, SYSCTL_MAX_AGE_MS, &t) < 0 || !num_parse(t->str, &v))
		return absent;
	return v;
}

static int read_input(const struct request *req, const char *host_text, struct meminfo_input *in)
{
	const struct held *held = &req->ct->held;
	int r = host_meminfo_parse(host_text, &in->host);

	if (r == 0)
		r = cg_memory_read(held_node(held, CG_MEMORY), &in->cg);
	if (r == 0 && req->options->swap && in->host.swap_total > 0)
		r = cg_swap_read(held_node(held, CG_MEMORY), &in->swap);
	if (r == 0 && in->host.hugetlb > 0 && held_node(held, CG_HUGETLB)) {
		r = cg_hugetlb_read(held_node(held, CG_HUGETLB), in->host.hugepage_size,
				    &in->hugetlb);
		r = r == -ENOENT ? 0 : r;
	}
	/* The kernel's default is 50 percent (mm/util.c). */
	in->overcommit_ratio = host_number(req, HOST_OVERCOMMIT_RATIO, 50);
	/* Setting one of the two sets the other to 0. */
	if (in->overcommit_ratio == 0)
		in->overcommit_bytes = sat_mul(host_number(req, HOST_OVERCOMMIT_KBYTES, 0), 1024);
	return r;
}

int meminfo_generate(const struct request *req, struct text *out)
{
	AUTO_HOST_TEXT struct host_text *host = NULL;
	struct meminfo_input in = { 0 };
	int r;

	if (!held_node(&req->ct->held, CG_MEMORY))
		return VIEW_E_PASSTHROUGH;
	r = host_text_get(req->host, HOST_MEMINFO, HOST_MEMINFO_MAX_AGE_MS, &host);
	if (r == 0)
		r = read_input(req, host->str, &in);
	if (r == 0)
		meminfo_render(host->str, &in, out);
	return r;
}
