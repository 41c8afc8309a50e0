/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/crew.h"

#include <glib.h>
#include <poll.h>
#include <string.h>

#include "daemon/watchdog.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* A worker that is not ready by then is taken for broken; an emulated machine needs half of it. */
#define READY_MS 10000u

/* A new binary gets less: the former one serves on meanwhile. */
#define UPGRADE_READY_MS 3000u

/* The new binary's worker has proven itself when it lives that long. */
#define PROOF_MS 1000u

/* How long a worker may take to finish what it has in hand, and what is thrown away then. */
#define DRAIN_MS 2000u
#define LEAVE_MS 5000u

/* A process is dead within this after SIGKILL, or not before something lets it go (a freezer). */
#define KILL_MS 500

/* Frozen ones, say; more are left to the system. */
#define MAX_LEAVING 4

/* After so many deaths within YOUNG_MS workers are started with a pause in between. */
#define HASTE    6u
#define YOUNG_MS 1000u
#define PAUSE_MS 200u

struct crew {
	char **argv;
	struct handed handed;
	const sigset_t *mask;
	const struct shared *shared;
	struct keeper_record *record;
	/*
	 * candidate: of an upgrade under way, that .trial is of; former: until the one that serves
	 * has proven itself, .standby is of it; next: another upgrade, later. -1: none.
	 */
	int executable, candidate, former, next;
	struct child serving, standby, trial;
	struct child leaving[MAX_LEAVING]; /* no longer needed, not dead yet */
	bool draining;
	uint64_t drain_since_ms, upgraded_ms;
	uint64_t deaths_ms[HASTE]; /* when the last ones were */
	unsigned n_deaths;
	struct watchdog watchdog;
};

struct crew *crew_new(int executable, char **argv, const struct handed *handed,
		      const sigset_t *mask, const struct shared *shared)
{
	struct crew *c = g_new0(struct crew, 1);

	c->argv = argv;
	c->handed = *handed;
	c->mask = mask;
	c->shared = shared;
	c->record = &shared->header->record;
	c->executable = executable;
	c->candidate = c->former = c->next = -1;
	c->serving = c->standby = c->trial = CHILD_NONE;
	for (size_t i = 0; i < MAX_LEAVING; i++)
		c->leaving[i] = CHILD_NONE;
	return c;
}

static void discard(struct child *child)
{
	child_signal(child, SIGKILL);
	if (child->pid)
		g_free(child_end(child, KILL_MS));
	child_clear(child);
}

struct crew *crew_free(struct crew *c)
{
	if (!c)
		return NULL;
	crew_dismiss_others(c);
	child_signal(&c->serving, SIGTERM);
	if (c->serving.pid)
		g_free(child_end(&c->serving, LEAVE_MS));
	discard(&c->serving);
	fd_close(&c->executable);
	fd_close(&c->candidate);
	fd_close(&c->former);
	fd_close(&c->next);
	g_free(c);
	return NULL;
}

static void serve_with(struct crew *c, struct child *child)
{
	c->serving = *child;
	*child = CHILD_NONE;
	c->record->worker = c->serving.pid;
	c->draining = false;
	watchdog_forget(&c->watchdog, sys_coarse_ms());
}

int crew_adopt(struct crew *c, const struct handed *handed)
{
	struct child child;
	int r = child_adopt(handed, &child);

	if (r == 0)
		serve_with(c, &child);
	return r;
}

/* For must_pause(). */
static void note_death(struct crew *c)
{
	c->deaths_ms[c->n_deaths++ % HASTE] = sys_coarse_ms();
}

/* @child is not needed any more; it is reaped when it is dead. */
static void let_go(struct crew *c, struct child *child)
{
	size_t i = 0;

	while (i < MAX_LEAVING - 1 && c->leaving[i].pid)
		i++;
	child_clear(&c->leaving[i]);
	c->leaving[i] = *child;
	c->leaving[i].since_ms = sys_coarse_ms();
	*child = CHILD_NONE;
}

static void dismiss(struct crew *c, struct child *child)
{
	child_signal(child, SIGKILL);
	if (child->pid)
		let_go(c, child);
}

static void reap_leaving(struct crew *c)
{
	for (size_t i = 0; i < MAX_LEAVING; i++) {
		struct child *child = &c->leaving[i];

		if (child_is_dead(child))
			g_free(child_end(child, 0));
		else if (child->pid && sys_coarse_ms() - child->since_ms > LEAVE_MS)
			child_signal(child, SIGKILL);
	}
}

static void lose_serving(struct crew *c, pid_t pid, const char *why)
{
	struct keeper_record *r = c->record;
	uint32_t i = r->restarts++ % SHARED_N_REASONS;

	log_warning("worker %d %s, another one takes over", pid, why);
	note_death(c);
	r->reasons[i].at_ms = sys_boottime_ns() / 1000000;
	g_strlcpy(r->reasons[i].why, why, sizeof(r->reasons[i].why));
	r->worker = 0;
}

static bool is_unmounted(const struct crew *c)
{
	struct pollfd p = { .fd = c->handed.fuse };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR);
}

/* The new binary's worker died soon after it began: back to the former one. */
static void fall_back(struct crew *c, const char *why)
{
	log_error("the new binary is not taken, its worker %s: back to the former one", why);
	fd_close(&c->executable);
	c->executable = fd_steal(&c->former);
}

static void bury_serving(struct crew *c)
{
	pid_t pid = c->serving.pid;
	g_autofree char *why = NULL;

	if (!child_is_dead(&c->serving))
		return;
	why = child_end(&c->serving, 0);
	if (c->former >= 0)
		fall_back(c, why);
	lose_serving(c, pid, why);
}

/* Owned: what became of @child within @patience_ms; NULL: nothing bad. Dead, it is forgotten. */
static char *trouble_of(struct child *child, uint64_t patience_ms)
{
	if (!child->pid || (child->ready && !child_is_dead(child)))
		return NULL;
	if (child_is_dead(child))
		return child_end(child, 0);
	return sys_coarse_ms() - child->since_ms > patience_ms ? g_strdup("did not get ready")
							       : NULL;
}

static void bury_standby(struct crew *c)
{
	g_autofree char *why = trouble_of(&c->standby, READY_MS);

	if (!why)
		return;
	dismiss(c, &c->standby);
	log_warning("a worker that was to stand by %s: another one is started", why);
	note_death(c);
}

static void bury_trial(struct crew *c)
{
	g_autofree char *why = trouble_of(&c->trial, UPGRADE_READY_MS);

	if (!why)
		return;
	dismiss(c, &c->trial);
	fd_close(&c->candidate);
	log_error("the new binary is not taken, its worker %s: the former one serves on", why);
}

/* After many deaths in a row. */
static bool must_pause(const struct crew *c)
{
	uint64_t now = sys_coarse_ms(), last = c->deaths_ms[(c->n_deaths + HASTE - 1) % HASTE];

	return c->n_deaths >= HASTE && now - c->deaths_ms[c->n_deaths % HASTE] < YOUNG_MS &&
	       now - last < PAUSE_MS;
}

static void start(struct crew *c, int executable, struct child *child)
{
	int r = child_start(executable, c->argv, &c->handed, c->mask, child);

	if (r < 0) {
		log_error("cannot start a worker: %s", g_strerror(-r));
		note_death(c);
	}
}

static void start_trial(struct crew *c)
{
	dismiss(c, &c->trial);
	fd_close(&c->candidate);
	c->candidate = fd_steal(&c->next);
	start(c, c->candidate, &c->trial);
	if (!c->trial.pid)
		fd_close(&c->candidate);
}

static void promote(struct crew *c, struct child *child)
{
	if (!child_tell(child, WORKER_GO)) /* it died, which is found next time */
		return;
	serve_with(c, child);
	log_debug("worker %d serves", c->serving.pid);
}

static void promote_trial(struct crew *c)
{
	promote(c, &c->trial);
	if (c->trial.pid)
		return;
	c->former = c->executable;
	c->executable = fd_steal(&c->candidate);
	c->upgraded_ms = sys_coarse_ms();
}

/* The new binary's worker serves well: the former one is over. */
static bool is_proven(struct crew *c)
{
	if (c->former < 0 || !c->serving.pid || sys_coarse_ms() - c->upgraded_ms < PROOF_MS)
		return false;
	fd_close(&c->former);
	dismiss(c, &c->standby);
	c->record->upgrades++;
	return true;
}

/* The one that serves makes way for the new binary's; readers wait for as long as that takes. */
static void drain(struct crew *c)
{
	uint64_t now = sys_coarse_ms();

	if (!c->draining) {
		c->draining = true;
		c->drain_since_ms = now;
		child_signal(&c->serving, SIGTERM);
	} else if (child_heard(&c->serving, WORKER_DRAINED) ||
		   now - c->drain_since_ms > DRAIN_MS + KILL_MS) {
		let_go(c, &c->serving);
		c->record->worker = 0;
	} else if (now - c->drain_since_ms > DRAIN_MS) {
		child_signal(&c->serving, SIGKILL);
	}
}

static void look_for_hang(struct crew *c)
{
	struct pollfd queue = { .fd = c->handed.fuse, .events = POLLIN };
	struct pollfd death = { .fd = c->serving.pidfd, .events = POLLIN };
	uint64_t now = sys_coarse_ms();
	pid_t pid = c->serving.pid;

	if (!pid || !watchdog_is_due(&c->watchdog, now) ||
	    !watchdog_look(&c->watchdog, c->shared, poll(&queue, 1, 0) == 1, now))
		return;
	child_signal(&c->serving, SIGKILL);
	if (poll(&death, 1, KILL_MS) != 1) /* it dies when it is thawed, and does nothing before */
		log_warning("worker %d does not die: is it frozen?", pid);
	if (c->former >= 0)
		fall_back(c, "did not answer");
	let_go(c, &c->serving);
	lose_serving(c, pid, "did not answer for 3 seconds");
}

static void hear(struct child *child)
{
	if (child->pid && !child->ready)
		child->ready = child_heard(child, WORKER_READY);
}

enum crew_news crew_run(struct crew *c)
{
	if (is_unmounted(c))
		return CREW_UNMOUNTED;
	look_for_hang(c);
	reap_leaving(c);
	hear(&c->standby);
	hear(&c->trial);
	bury_trial(c);
	if (c->serving.pid && c->trial.ready)
		drain(c);
	bury_serving(c);
	bury_standby(c);
	if (!c->serving.pid && c->trial.ready)
		promote_trial(c);
	else if (!c->serving.pid && c->standby.ready)
		promote(c, &c->standby);
	if (c->next >= 0 && c->serving.pid && !c->draining && c->former < 0)
		start_trial(c);
	if (!c->standby.pid && !must_pause(c))
		start(c, c->former >= 0 ? c->former : c->executable, &c->standby);
	return is_proven(c) ? CREW_UPGRADED : CREW_SAME;
}

int crew_fds(const struct crew *c, int fds[CREW_N_FDS])
{
	fds[0] = c->serving.pidfd;
	fds[1] = c->draining ? c->serving.control : -1;
	fds[2] = c->standby.pidfd;
	fds[3] = c->standby.ready ? -1 : c->standby.control;
	fds[4] = c->trial.pidfd;
	fds[5] = c->trial.ready ? -1 : c->trial.control;
	if (c->standby.pid)
		return WATCHDOG_LOOK_MS;
	return must_pause(c) ? (int)PAUSE_MS : 0; /* there is one to be started, now or soon */
}

void crew_upgrade(struct crew *c, int executable)
{
	fd_close(&c->next);
	c->next = executable;
}

int crew_executable(const struct crew *c)
{
	return c->executable;
}

const struct child *crew_serving(const struct crew *c)
{
	return c->serving.pid ? &c->serving : NULL;
}

const struct child *crew_standby(const struct crew *c)
{
	return c->standby.pid ? &c->standby : NULL;
}

uint64_t crew_requests_per_second(const struct crew *c)
{
	return c->watchdog.rate;
}

void crew_dismiss_others(struct crew *c)
{
	discard(&c->standby);
	discard(&c->trial);
	for (size_t i = 0; i < MAX_LEAVING; i++)
		discard(&c->leaving[i]);
}
