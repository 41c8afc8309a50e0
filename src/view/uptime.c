/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib.h>
#include <unistd.h>

#include "util/sat.h"
#include "util/sys.h"
#include "view/cpus.h"
#include "view/stat.h"
#include "view/views.h"

#define NS_PER_CENTI UINT64_C(10000000)

/*
 * A time namespace whose boottime clock was set back starts the clock anew by itself: then ours is
 * that one, so that the kernel's start times of processes fit.
 */
static uint64_t age_ns(const struct request *req)
{
	int64_t offset = container_timens_offset(req->containers, req->pid);
	uint64_t now = sys_boottime_ns();

	if (offset < 0)
		return sat_sub(now, (uint64_t)-offset);
	return sat_sub(now, req->ct->start_ns);
}

int uptime_generate(const struct request *req, struct text *out)
{
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
	struct cpu_counters counters = { 0 };
	uint64_t idle;
	int r;

	/* In no namespace, and in the root of what counts CPU time: all as on the host. */
	if (!req->ct->init && !held_node(&req->ct->held, CG_CPUACCT))
		return VIEW_E_PASSTHROUGH;
	r = cpu_counters_read(req, &counters);
	idle = counters.sum.idle;
	if (r == VIEW_E_PASSTHROUGH)
		r = stat_host_idle(req, &idle);
	if (r == 0) {
		text_centi(out, age_ns(req) / NS_PER_CENTI);
		text_str(out, " ");
		text_centi(out, idle * 100 / ticks_per_s);
		text_str(out, "\n");
	}
	g_free(counters.cpu);
	return r;
}
