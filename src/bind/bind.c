/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/bind.h"

#include "bind/envoys.h"
#include "bind/live.h"
#include "bind/scan.h"
#include "bind/visit.h"
#include "util/sys.h"

#define MOST_MS 60000u

struct run {
	const struct host *host;
	const struct live *live;
	bool dry_run;
	bool (*wants)(const struct visit *visit);
	envoys_work *work;
	struct envoys *envoys;
	bind_fn *fn;
	void *arg;
	struct bind_report *report;
	GHashTable *containers; /* pids where something was done */
};

static bool is_done(enum bind_outcome outcome)
{
	return outcome == BIND_BENEATH || outcome == BIND_STACKED || outcome == BIND_UNCOVERED ||
	       outcome == BIND_DETACHED || outcome == BIND_FOUND;
}

static void on_event(const struct bind_event *event, void *arg)
{
	struct run *run = arg;

	run->report->counts[event->outcome]++;
	if (is_done(event->outcome))
		g_hash_table_add(run->containers, GINT_TO_POINTER(event->pid));
	if (run->fn)
		run->fn(event, run->arg);
}

static unsigned left_alone(const struct bind_report *r)
{
	return r->counts[BIND_GONE] + r->counts[BIND_COVERED];
}

static bool on_view(const struct view_of *view, void *arg)
{
	struct run *run = arg;
	const struct visit visit = {
		.host = run->host, .live = run->live, .view = view, .dry_run = run->dry_run
	};
	unsigned left = left_alone(run->report);
	int r;

	if (!run->wants(&visit))
		return true;
	r = envoys_send(run->envoys, view->pid, run->work, &visit);
	if (r < 0) {
		const struct bind_event event = {
			.pid = view->pid, .path = "/", .outcome = BIND_FAILED, .error = -r
		};

		on_event(&event, run);
	}
	/* What one process of the container cannot reach another one may, see scan.h. */
	return left_alone(run->report) == left;
}

static bool do_run(struct run *run, GError **error)
{
	struct scan_counts counts = { 0 };
	int r;

	*run->report = (struct bind_report){ 0 };
	run->containers = g_hash_table_new(NULL, NULL);
	run->envoys = envoys_new(on_event, run);
	r = scan_processes(run->host, &run->live->ours, sys_coarse_ms() + MOST_MS, on_view, run,
			   &counts);
	run->envoys = envoys_end(run->envoys);
	run->report->containers = g_hash_table_size(run->containers);
	run->report->looked_at = counts.looked_at;
	run->report->unreadable = counts.unreadable;
	run->report->incomplete = counts.incomplete;
	g_hash_table_unref(run->containers);
	if (r < 0)
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
			    "cannot list the processes: %s", g_strerror(-r));
	return r == 0;
}

bool bind_repair(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error)
{
	struct live live = LIVE_NONE;
	struct run run = { .host = host,
			   .live = &live,
			   .dry_run = dry_run,
			   .wants = visit_wants_repair,
			   .work = visit_repair,
			   .fn = fn,
			   .arg = arg,
			   .report = ret };
	bool ok = live_open(host, mountpoint, true, &live, error) && do_run(&run, error);

	live_clear(&live);
	return ok;
}

bool bind_detach(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error)
{
	struct live live = LIVE_NONE;
	struct run run = { .host = host,
			   .live = &live,
			   .dry_run = dry_run,
			   .wants = visit_wants_detach,
			   .work = visit_detach,
			   .fn = fn,
			   .arg = arg,
			   .report = ret };
	bool ok = live_open(host, mountpoint, false, &live, error) && do_run(&run, error);

	live_clear(&live);
	return ok;
}

unsigned bind_report_repaired(const struct bind_report *report)
{
	return report->counts[BIND_BENEATH] + report->counts[BIND_STACKED] +
	       report->counts[BIND_UNCOVERED];
}
