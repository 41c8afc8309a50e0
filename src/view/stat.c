/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/stat.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "util/num.h"
#include "util/sat.h"
#include "view/views.h"

/*
 * How old the host's counters of interrupts and context switches may be: the kernel sums them over
 * all cpus and interrupts, which takes it milliseconds on a big host.
 */
#define HOST_STAT_MAX_AGE_MS 100

/* user nice system idle iowait irq softirq steal guest guest_nice */
enum { IDLE = 3, N_FIELDS = 10 };

static void put_cpu(struct text *out, const char *name, const struct cpu_ticks *t)
{
	const uint64_t fields[N_FIELDS] = { t->user, t->nice, t->system, t->idle, 0,
					    0,       0,       t->steal,  0,       0 };

	text_str(out, name);
	for (size_t i = 0; i < N_FIELDS; i++) {
		text_str(out, " ");
		text_u64(out, fields[i]);
	}
	text_str(out, "\n");
}

static void put_number(struct text *out, const char *key, uint64_t v)
{
	text_str(out, key);
	text_str(out, " ");
	text_u64(out, v);
	text_str(out, "\n");
}

/* btime is the host's, moved back by what its clock runs ahead in the reader's time namespace. */
static uint64_t btime(const struct stat_input *in)
{
	int64_t offset_s = in->timens_offset_ns / 1000000000;

	return offset_s > 0 ? sat_sub(in->host.btime, (uint64_t)offset_s)
			    : in->host.btime + (uint64_t)-offset_s;
}

void stat_render(const struct stat_input *in, struct text *out)
{
	const struct cpu_counters *c = in->counters;
	unsigned n = 0;

	put_cpu(out, "cpu ", &c->sum);
	for (unsigned i = cpuset_next(&c->visible, 0); i < CPUSET_MAX;
	     i = cpuset_next(&c->visible, i + 1)) {
		char name[16];
		struct text t;

		text_init(&t, name, sizeof(name) - 1);
		text_str(&t, "cpu");
		text_u64(&t, i);
		name[t.len] = '\0';
		put_cpu(out, name, &c->cpu[n++]);
	}
	put_number(out, "intr", in->host.intr);
	put_number(out, "ctxt", in->host.ctxt);
	put_number(out, "btime", btime(in));
	put_number(out, "processes", in->host.processes);
	put_number(out, "procs_running", in->running);
	put_number(out, "procs_blocked", in->blocked);
	put_number(out, "softirq", in->host.softirq);
}

static void add_line(const char *line, uint64_t sum[N_FIELDS])
{
	const char *p = strchr(line, ' ');

	for (size_t i = 0; p && i < N_FIELDS; i++) {
		uint64_t v;

		if (!num_take_field(&p, &v))
			return;
		sum[i] += v;
	}
}

static void sum_lines(const char *host_text, const struct cpuset *visible, uint64_t sum[N_FIELDS])
{
	const char *line;
	uint64_t len;

	for (unsigned i = cpuset_next(visible, 0); i < CPUSET_MAX; i = cpuset_next(visible, i + 1))
		if ((line = host_stat_cpu_line(host_text, i, &len)))
			add_line(line, sum);
}

int stat_render_host(const char *host_text, const struct cpuset *visible, struct text *out)
{
	uint64_t sum[N_FIELDS] = { 0 }, len;
	const char *line, *rest;

	sum_lines(host_text, visible, sum);
	text_str(out, "cpu ");
	for (size_t i = 0; i < N_FIELDS; i++) {
		text_str(out, " ");
		text_u64(out, sum[i]);
	}
	text_str(out, "\n");
	for (unsigned i = cpuset_next(visible, 0); i < CPUSET_MAX; i = cpuset_next(visible, i + 1))
		if ((line = host_stat_cpu_line(host_text, i, &len)))
			text_mem(out, line, len);
	rest = strstr(host_text, "\nintr ");
	if (!rest)
		return -EBADMSG;
	text_str(out, rest + 1);
	return 0;
}

int stat_host_idle(const struct request *req, uint64_t *ret)
{
	AUTO_HOST_TEXT struct host_text *host = NULL;
	uint64_t sum[N_FIELDS] = { 0 };
	struct cpuset visible;
	int r = cpus_visible(req, &visible);

	if (r == 0)
		r = host_text_get(req->host, HOST_STAT, HOST_STAT_MAX_AGE_MS, &host);
	if (r == 0) {
		sum_lines(host->str, &visible, sum);
		*ret = sum[IDLE];
	}
	return r;
}

/* The container's tasks, or what every container has: the reader itself. */
static void read_tasks(const struct request *req, struct stat_input *in)
{
	const struct load_state *load = state_load(req->ct->state);

	in->running = 1;
	in->blocked = 0;
	pthread_mutex_lock(state_lock(req->ct->state));
	if (load->sampled_ns) {
		in->running = MAX(load->running, 1); /* who reads this runs */
		in->blocked = load->blocked;
	}
	pthread_mutex_unlock(state_lock(req->ct->state));
}

/* The container's CPU time is not accounted: the host's lines, of the cpus that it sees. */
static int generate_host(const struct request *req, const char *host_text, struct text *out)
{
	struct cpuset visible, online;
	int r = cpus_visible(req, &visible);

	if (r == 0)
		r = cpus_online(req, &online);
	if (r < 0)
		return r;
	if (cpuset_equal(&visible, &online))
		return VIEW_E_PASSTHROUGH;
	return stat_render_host(host_text, &visible, out);
}

int stat_generate(const struct request *req, struct text *out)
{
	AUTO_HOST_TEXT struct host_text *host = NULL;
	struct cpu_counters counters = { 0 };
	struct stat_input in = { .counters = &counters };
	int r = host_text_get(req->host, HOST_STAT, HOST_STAT_MAX_AGE_MS, &host);

	if (r == 0)
		r = cpu_counters_read(req, &counters);
	if (r == VIEW_E_PASSTHROUGH)
		return generate_host(req, host->str, out);
	if (r == 0)
		r = host_stat_parse(host->str, &in.host);
	if (r == 0) {
		in.timens_offset_ns = container_timens_offset(req->containers, req->pid);
		read_tasks(req, &in);
		stat_render(&in, out);
	}
	g_free(counters.cpu);
	return r;
}
