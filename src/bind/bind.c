/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/bind.h"

#include <errno.h>

#include "bind/envoys.h"
#include "bind/hangs.h"
#include "bind/live.h"
#include "bind/scan.h"
#include "bind/visit.h"
#include "util/sys.h"

#define MOST_MS 60000u

/* For one that never stays as it was when it was looked at. */
#define MOST_TRIES 8u

/*
 * Namespaces that have nothing to do with each other are seen to at once. An ordinary table of
 * mounts takes a millisecond, or, on a busy machine, many: a container that has a long one waits
 * for the others. What others share is changed when nobody else is at work (but who is late). At
 * last comes who is in one namespace with somebody that is held up, and then the rest of a
 * container that has held up several.
 */
enum stage { AT_ONCE, AT_LENGTH, ONE_BY_ONE, AT_LAST, THEY_HANG, N_STAGES };
static const unsigned patience_ms[N_STAGES] = { 20, 500, 5000, 5000, 5000 };
#define HELD_UP_MS 1000u

struct stop {
	struct place *place;
	enum stage stage;
	pid_t pid; /* that was tried last */
	unsigned tries;
};

struct run {
	struct visit *visit;
	bind_fn *fn;
	void *arg;
	struct bind_report *report;
	struct envoys *envoys;
	struct hangs *hangs;
	uint64_t deadline_ms;
	bool scanning;
	enum stage stage;      /* what was in an earlier one is at its end */
	GArray *stops;         /* struct stop */
	GQueue todo[N_STAGES]; /* indices of stops */
	GHashTable *busy; /* numbers of namespaces where somebody is at work: since when, in ms */
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

static void put_in_line(struct run *run, size_t number)
{
	const struct stop *stop = &g_array_index(run->stops, struct stop, number);

	g_queue_push_tail(&run->todo[stop->stage], GSIZE_TO_POINTER(number));
}

static void go_again(struct run *run, size_t number, enum stage stage)
{
	struct stop *stop = &g_array_index(run->stops, struct stop, number);

	stop->stage = MAX(stage, run->stage);
	put_in_line(run, number);
}

/* Another process of the place may be there still, or be found yet. */
static void on_gone(struct run *run, size_t number)
{
	struct stop *stop = &g_array_index(run->stops, struct stop, number);
	struct place *place = stop->place;

	for (unsigned i = 0; i < place->n_pids; i++)
		if (place->pids[i] == stop->pid)
			place->pids[i] = place->pids[--place->n_pids];
	go_again(run, number, stop->stage);
}

static void on_end(size_t number, enum envoy_result result, void *arg)
{
	struct run *run = arg;
	struct stop *stop = &g_array_index(run->stops, struct stop, number);
	bool last = stop->stage >= ONE_BY_ONE;

	g_hash_table_remove(run->busy, GSIZE_TO_POINTER(stop->place->ns));
	if (result == ENVOY_DONE)
		return;
	if (result == ENVOY_GONE)
		on_gone(run, number);
	else if (result == ENVOY_SHARED)
		go_again(run, number, ONE_BY_ONE);
	else if (result == ENVOY_LONG && !last)
		go_again(run, number, stop->stage + 1);
	else if (result == ENVOY_LATE && stop->stage < AT_LAST)
		go_again(run, number, AT_LAST);
	else if (result == ENVOY_AGAIN && ++stop->tries < MOST_TRIES)
		go_again(run, number, stop->stage);
	else
		run->report->incomplete = true;
}

static void on_slow(size_t number, void *arg)
{
	struct run *run = arg;

	hangs_add(run->hangs, g_array_index(run->stops, struct stop, number).pid);
}

static void tell_failure(struct run *run, pid_t pid, int error)
{
	const struct bind_event event = {
		.pid = pid, .path = "/", .outcome = BIND_FAILED, .error = error
	};

	on_event(&event, run);
}

/* Somebody is at work in the namespace of @stop. */
static void let_wait(struct run *run, size_t number)
{
	struct stop *stop = &g_array_index(run->stops, struct stop, number);
	gpointer since = g_hash_table_lookup(run->busy, GSIZE_TO_POINTER(stop->place->ns));

	if (sys_coarse_ms() - GPOINTER_TO_SIZE(since) > HELD_UP_MS)
		stop->stage = MAX(stop->stage, AT_LAST);
	put_in_line(run, number);
}

/* All processes of the place that were found have ended. */
static void let_go(struct run *run, size_t number)
{
	if (run->scanning)
		put_in_line(run, number);
	else
		run->report->incomplete |=
			g_array_index(run->stops, struct stop, number).place->more;
}

/* Returns whether the next one may be tried. */
static bool send(struct run *run, size_t number)
{
	struct stop *stop = &g_array_index(run->stops, struct stop, number);
	const struct place *place = stop->place;
	unsigned n = place->n_pids;
	const struct envoy_job job = { .number = number,
				       .pid = n ? place->pids[stop->tries % n] : 0,
				       .ns = place->ns,
				       .patience_ms = patience_ms[stop->stage],
				       .at_once = stop->stage < ONE_BY_ONE };
	int r;

	if (n == 0) {
		let_go(run, number);
		return true;
	}
	if (g_hash_table_contains(run->busy, GSIZE_TO_POINTER(place->ns))) {
		let_wait(run, number);
		return true;
	}
	if (stop->stage < THEY_HANG && hangs_often(run->hangs, job.pid)) {
		go_again(run, number, THEY_HANG);
		return true;
	}
	stop->pid = job.pid;
	r = envoys_send(run->envoys, &job);
	if (r == -EBUSY) {
		g_queue_push_head(&run->todo[stop->stage], GSIZE_TO_POINTER(number));
		return false;
	}
	if (r < 0) {
		tell_failure(run, job.pid, -r);
		return true;
	}
	g_hash_table_insert(run->busy, GSIZE_TO_POINTER(place->ns),
			    GSIZE_TO_POINTER(sys_coarse_ms()));
	return job.at_once;
}

/* Each that waits is looked at once. */
static void send_some(struct run *run)
{
	GQueue *todo = &run->todo[run->stage];
	unsigned n = todo->length;

	if (run->stage >= ONE_BY_ONE && envoys_busy(run->envoys) > 0)
		return;
	while (n-- > 0 && send(run, GPOINTER_TO_SIZE(g_queue_pop_head(todo))))
		;
}

static bool is_in_time(struct run *run)
{
	bool late = sys_coarse_ms() > run->deadline_ms || envoys_too_many_stuck(run->envoys);

	run->report->incomplete |= late;
	return !late;
}

static bool on_place(struct place *place, void *arg)
{
	struct run *run = arg;
	const struct stop stop = { .place = place, .stage = AT_ONCE };

	g_array_append_val(run->stops, stop);
	put_in_line(run, run->stops->len - 1);
	envoys_hear(run->envoys, 0);
	send_some(run);
	return is_in_time(run);
}

/* In the last ones those that are late are waited for, too: they may have to go again. */
static bool is_finished(const struct run *run)
{
	return run->todo[run->stage].length == 0 && envoys_busy(run->envoys) == 0 &&
	       (run->stage < AT_LAST || envoys_late(run->envoys) == 0);
}

static void finish_stage(struct run *run, enum stage stage)
{
	run->stage = stage;
	while (is_in_time(run)) {
		send_some(run);
		if (is_finished(run))
			return;
		/* Those that wait for one that is held up are looked at again, see let_wait(). */
		envoys_hear(run->envoys, run->todo[stage].length ? 10 : 1000);
	}
}

static void clear_stop(void *data)
{
	g_free(((struct stop *)data)->place);
}

/* Returns 0 or -errno. */
static int go_round(struct run *run)
{
	int r;

	run->scanning = true;
	r = scan_processes(run->visit->host, on_place, run, &run->report->unreadable);
	run->scanning = false;
	for (unsigned stage = 0; stage < N_STAGES; stage++)
		finish_stage(run, stage);
	for (unsigned stage = 0; stage < N_STAGES; stage++)
		run->report->incomplete |= run->todo[stage].length > 0;
	run->envoys = envoys_end(run->envoys);
	run->report->looked_at = run->stops->len;
	run->report->containers = g_hash_table_size(run->containers);
	return r;
}

static bool do_run(struct visit *visit, bind_fn *fn, void *arg, struct bind_report *ret,
		   GError **error)
{
	struct run run = { .visit = visit,
			   .fn = fn,
			   .arg = arg,
			   .report = ret,
			   .deadline_ms = sys_coarse_ms() + MOST_MS };
	const struct envoys_task task = { .begin = visit_begin,
					  .work = visit_place,
					  .arg = visit,
					  .told = on_event,
					  .slow = on_slow,
					  .ended = on_end,
					  .caller_arg = &run };
	int r;

	*ret = (struct bind_report){ 0 };
	run.stops = g_array_new(FALSE, FALSE, sizeof(struct stop));
	g_array_set_clear_func(run.stops, clear_stop);
	run.busy = g_hash_table_new(NULL, NULL);
	run.containers = g_hash_table_new(NULL, NULL);
	run.hangs = hangs_new(visit->host);
	run.envoys = envoys_new(&task);
	r = go_round(&run);
	for (unsigned stage = 0; stage < N_STAGES; stage++)
		g_queue_clear(&run.todo[stage]);
	g_array_unref(run.stops);
	hangs_free(run.hangs);
	g_hash_table_unref(run.busy);
	g_hash_table_unref(run.containers);
	if (r < 0)
		g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
			    "cannot list the processes: %s", g_strerror(-r));
	return r == 0;
}

bool bind_repair(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error)
{
	struct live live = LIVE_NONE;
	struct visit visit = {
		.host = host, .live = &live, .what = VISIT_REPAIR, .dry_run = dry_run
	};
	bool ok = live_open(host, mountpoint, true, &live, error) &&
		  do_run(&visit, fn, arg, ret, error);

	live_clear(&live);
	return ok;
}

bool bind_detach(const struct host *host, const char *mountpoint, bool dry_run, bind_fn *fn,
		 void *arg, struct bind_report *ret, GError **error)
{
	struct live live = LIVE_NONE;
	struct visit visit = {
		.host = host, .live = &live, .what = VISIT_DETACH, .dry_run = dry_run
	};
	bool ok = live_open(host, mountpoint, false, &live, error) &&
		  do_run(&visit, fn, arg, ret, error);

	live_clear(&live);
	return ok;
}

unsigned bind_report_repaired(const struct bind_report *report)
{
	return report->counts[BIND_BENEATH] + report->counts[BIND_STACKED] +
	       report->counts[BIND_UNCOVERED];
}
