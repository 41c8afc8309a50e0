/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/sat.h"
#include "view/meminfo.h"
#include "view/views.h"

/* The columns of mm/swapfile.c's swap_show(). */
#define NAME_WIDTH 40
#define WIDE_KIB   10000000u

static void put_size(struct text *out, uint64_t kib)
{
	text_str(out, "\t");
	text_u64(out, kib);
	if (kib < WIDE_KIB)
		text_str(out, "\t");
}

void swaps_render(uint64_t total, uint64_t usage, struct text *out)
{
	text_str(out, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	if (total / 1024 == 0)
		return;
	text_str(out, "none");
	text_fill(out, ' ', NAME_WIDTH - 4);
	text_str(out, "virtual\t");
	put_size(out, total / 1024);
	/* From what meminfo shows: SwapTotal - SwapFree, each rounded down to kB. */
	put_size(out, total / 1024 - sat_sub(total, usage) / 1024);
	text_str(out, "\t0\n");
}

int swaps_generate(const struct request *req, struct text *out)
{
	AUTO_HOST_TEXT struct host_text *text = NULL;
	struct host_meminfo host;
	struct cg_swap swap = { 0 };
	struct cg_node *memory = held_node(&req->ct->held, CG_MEMORY);
	int r;

	if (!memory)
		return VIEW_E_PASSTHROUGH;
	r = host_text_get(req->host, HOST_MEMINFO, HOST_MEMINFO_MAX_AGE_MS, &text);
	if (r == 0)
		r = host_meminfo_parse(text->str, &host);
	if (r == 0 && req->options->swap && host.swap_total > 0)
		r = cg_swap_read(memory, &swap);
	if (r == 0)
		swaps_render(swap_total(&host, &swap), swap.usage, out);
	return r;
}
