/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sample/loadavg.h"

#include "util/sys.h"
#include "view/views.h"

/*
 * How many tasks a first read looks at before the sampler does: some 10 ms. Every new cgroup
 * namespace is a new container, so this is what a hostile one can make us do at will.
 */
#define FIRST_TASKS 512

/* As the kernel prints them: rounded to hundredths (fs/proc/loadavg.c adds FIXED_1/200). */
static uint64_t centi(uint32_t fixed)
{
	return ((uint64_t)fixed + LOADAVG_ONE / 200) * 100 / LOADAVG_ONE;
}

static void loadavg_render(const struct load_state *load, struct text *out)
{
	for (int i = 0; i < 3; i++) {
		text_centi(out, centi(load->fixed[i]));
		text_str(out, " ");
	}
	text_u64(out, load->running);
	text_str(out, "/");
	text_u64(out, load->total);
	text_str(out, " ");
	text_u64(out, load->newest);
	text_str(out, "\n");
}

static void copy_load(struct container *ct, struct load_state *ret)
{
	pthread_mutex_lock(state_lock(ct->state));
	*ret = *state_load(ct->state);
	pthread_mutex_unlock(state_lock(ct->state));
}

int loadavg_generate(const struct request *req, struct text *out)
{
	struct container *ct = req->ct;
	uint64_t now = sys_boottime_ns();
	struct load_state load;

	if (!req->options->loadavg || !ct->held.tasks)
		return VIEW_E_PASSTHROUGH;
	atomic_store(&ct->load_read_ns, now);
	copy_load(ct, &load);
	if (!load.sampled_ns) {
		/* The sampler has not come to it yet. */
		int r;

		host_slow(req->host);
		r = loadavg_sample(req->host, ct, ct->held.tasks, true, FIRST_TASKS, now);
		if (r < 0)
			return r;
		copy_load(ct, &load);
	}
	loadavg_render(&load, out);
	return 0;
}
