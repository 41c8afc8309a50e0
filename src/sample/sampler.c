/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sample/sampler.h"

#include <glib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sample/loadavg.h"
#include "util/fd.h"
#include "util/sat.h"
#include "util/sys.h"

/* Descriptors of containers that nobody reads are closed after this long. */
#define IDLE_MS  60000u
#define SWEEP_NS UINT64_C(30000000000)

/* What sampling may take of the 5 s between two steps. */
#define BUDGET_NS UINT64_C(200000000)

/* Who read a container's load within this time will do so again, so its tasks are looked at. */
#define READ_LATELY_NS UINT64_C(60000000000)

struct sampler {
	const struct host *host;
	struct container_table *containers;
	bool loadavg;
	int wake; /* eventfd: there is a new container */
	uint64_t next_ns, swept_ns;
	size_t known; /* containers at the last look */
	size_t turn;  /* whose turn it is, when there is no time for all */
};

static void on_new(void *arg)
{
	struct sampler *s = arg;

	(void)eventfd_write(s->wake, 1);
}

struct sampler *sampler_new(const struct host *host, struct container_table *containers,
			    bool loadavg)
{
	struct sampler *s = g_new0(struct sampler, 1);

	s->host = host;
	s->containers = containers;
	s->loadavg = loadavg;
	s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->known = 1; /* look once: containers may have been seen before us */
	container_table_on_new(containers, on_new, s);
	return s;
}

struct sampler *sampler_free(struct sampler *s)
{
	if (!s)
		return NULL;
	fd_close(&s->wake);
	g_free(s);
	return NULL;
}

int sampler_fds(const struct sampler *s, int fds[SAMPLER_N_FDS])
{
	uint64_t left = sat_sub(s->next_ns, sys_boottime_ns());

	fds[0] = s->wake;
	fds[1] = container_table_fd(s->containers);
	return s->known ? (int)(left / 1000000) + 1 : -1;
}

static void sample(struct sampler *s, struct container *ct, bool is_step, uint64_t now)
{
	const struct load_state *load = state_load(ct->state);
	bool always = now - atomic_load(&ct->load_read_ns) < READ_LATELY_NS, first;
	struct cg_node *tasks;

	pthread_mutex_lock(state_lock(ct->state));
	first = load->sampled_ns == 0;
	pthread_mutex_unlock(state_lock(ct->state));
	if ((!first && !is_step) || container_tasks(s->containers, ct, &tasks) < 0 || !tasks)
		return;
	/* A container that vanishes meanwhile is forgotten by others. */
	(void)loadavg_sample(s->host, ct, tasks, always, UINT32_MAX, now);
	cg_node_unref(tasks);
}

/*
 * In turns, and for a while only: who makes us many containers of many tasks shall not keep us from
 * all else. Those that are left out now have their steps made up for when it is their turn.
 */
static void sample_all(struct sampler *s, bool is_step, uint64_t now)
{
	g_autofree struct container **list = NULL;
	size_t n = container_table_list(s->containers, &list), done = 0;

	for (size_t i = 0; i < n; i++) {
		struct container *ct = list[(s->turn + i) % n];

		if (s->loadavg && sys_boottime_ns() - now < BUDGET_NS) {
			sample(s, ct, is_step, now);
			done++;
		}
		container_put(s->containers, ct);
	}
	s->turn = n ? (s->turn + done) % n : 0;
	s->known = n;
}

void sampler_run(struct sampler *s)
{
	uint64_t now = sys_boottime_ns();
	bool is_step = now >= s->next_ns;
	eventfd_t woken = 0;

	(void)eventfd_read(s->wake, &woken);
	container_table_reap(s->containers);
	if (now - s->swept_ns >= SWEEP_NS) {
		container_table_sweep(s->containers, IDLE_MS);
		s->swept_ns = now;
	}
	sample_all(s, is_step, now);
	if (s->known == 0) /* we may sleep for long now: nothing is to stay open */
		container_table_sweep(s->containers, 0);
	/* Steps stay in time with each other; after a pause (no container) they begin anew. */
	if (is_step)
		s->next_ns = now - s->next_ns < LOADAVG_STEP_NS ? s->next_ns + LOADAVG_STEP_NS
								: now + LOADAVG_STEP_NS;
}

size_t sampler_containers(const struct sampler *s)
{
	return s->known;
}
