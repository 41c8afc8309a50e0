/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/bind.h"

#include <errno.h>
#include <sys/stat.h>

#include "bind/envoys.h"
#include "bind/live.h"
#include "bind/scan.h"
#include "bind/visit.h"
#include "util/sys.h"

#define MOST_MS 60000u

/*
 * An ordinary table takes a millisecond, or, on a busy machine, many: a container that has a long one
 * waits for the others.
 */
#define SHORT_MS 20u
#define LONG_MS  500u

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
	GHashTable *hopeless;   /* pids where something failed: not tried again */
	bool at_once;           /* namespaces that have nothing to do with each other … */
	GHashTable *visited;    /* … by their inode numbers */
	bool postponed;         /* there are others */
	bool late;              /* there are some whose table was too long */
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
	else if (event->outcome != BIND_GONE && event->outcome != BIND_COVERED)
		g_hash_table_add(run->hopeless, GINT_TO_POINTER(event->pid));
	if (run->fn)
		run->fn(event, run->arg);
}

static unsigned left_alone(const struct bind_report *r)
{
	return r->counts[BIND_GONE] + r->counts[BIND_COVERED];
}

/*
 * Whether nobody else works on the same mounts: the first root directory in its namespace, and what is
 * done to its mounts is done nowhere else.
 */
static bool is_alone(struct run *run, const struct view_of *view)
{
	struct stat ns;

	for (size_t i = 0; i < view->bounds->len; i++) {
		const struct bound *b = view->bounds->pdata[i];

		if (!b->alone)
			return false;
	}
	return fstat(view->ns, &ns) == 0 &&
	       g_hash_table_add(run->visited, GSIZE_TO_POINTER(ns.st_ino));
}

static bool on_view(const struct view_of *view, void *arg)
{
	struct run *run = arg;
	const struct visit visit = {
		.host = run->host, .live = run->live, .view = view, .dry_run = run->dry_run
	};
	unsigned left = left_alone(run->report);
	int r;

	if (!run->wants(&visit) || g_hash_table_contains(run->hopeless, GINT_TO_POINTER(view->pid)))
		return true;
	if (run->at_once && !is_alone(run, view)) {
		run->postponed = true;
		return true;
	}
	r = envoys_send(run->envoys, view->pid, !run->at_once, run->work, &visit);
	if (r < 0) {
		const struct bind_event event = {
			.pid = view->pid, .path = "/", .outcome = BIND_FAILED, .error = -r
		};

		on_event(&event, run);
	}
	/* What one process of the container cannot reach another one may, see scan.h. */
	return run->at_once || left_alone(run->report) == left;
}

/* Returns 0 or -errno. */
static int scan(struct run *run, unsigned patience_ms)
{
	struct scan_counts counts = { 0 };
	struct bind_report *report = run->report;
	int r = scan_processes(run->host, &run->live->ours, sys_coarse_ms() + MOST_MS, patience_ms,
			       on_view, run, &counts);

	envoys_wait(run->envoys);
	report->looked_at = counts.looked_at;
	report->unreadable = counts.unreadable;
	run->late = counts.late > 0;
	report->incomplete |= counts.incomplete;
	return r;
}

/*
 * Most containers at once: the kernel has each change of a mount wait for all CPUs, and can let many
 * wait together. What is left then, one after the other: see on_view(). A dry run would find twice.
 */
static int scan_all(struct run *run)
{
	int r;

	run->at_once = !run->dry_run;
	r = scan(run, run->at_once ? SHORT_MS : MOST_MS);
	if (r == 0 && run->at_once && run->late)
		r = scan(run, LONG_MS);
	if (r < 0 || !run->at_once ||
	    (!run->late && !run->postponed && left_alone(run->report) == 0))
		return r;
	run->at_once = false;
	run->report->counts[BIND_GONE] = run->report->counts[BIND_COVERED] = 0;
	return scan(run, MOST_MS);
}

static bool do_run(struct run *run, GError **error)
{
	int r;

	*run->report = (struct bind_report){ 0 };
	run->containers = g_hash_table_new(NULL, NULL);
	run->hopeless = g_hash_table_new(NULL, NULL);
	run->visited = g_hash_table_new(NULL, NULL);
	run->envoys = envoys_new(on_event, run);
	r = scan_all(run);
	run->envoys = envoys_end(run->envoys);
	run->report->containers = g_hash_table_size(run->containers);
	g_hash_table_unref(run->containers);
	g_hash_table_unref(run->hopeless);
	g_hash_table_unref(run->visited);
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
