/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/envoys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bind/envoy_report.h"
#include "util/fd.h"
#include "util/sys.h"

/* The kernel has each change of a mount wait for all CPUs, and lets many wait together. */
#define MOST_BUSY 8u

/* A container's files take some milliseconds. More is told of, … */
#define SLOW_MS    100u
/* … and who takes longer works on beside the others … */
#define QUICK_MS   1000u
/* … this long, … */
#define LATE_MS    5000u
/* … and the next ones are given less: there may be thousands. */
#define MANY_LATE  8u
#define MOST_LATE  64u
#define MOST_STUCK 64u
/* Killed, they end, or are stuck in the kernel. */
#define MOMENT_MS  2u
#define DYING_MS   50u

/*
 * What an envoy sends: a result, or that its report is full. Then it is sent the same when that was
 * read.
 */
#define REPORT_FULL ENVOY_N_RESULTS

struct envoy {
	pid_t pid;
	int sock;
	struct envoy_report *report;
	bool busy, late;
	uint64_t since_ms;
	struct envoy_job job;
};

struct envoys {
	const struct envoys_task *task;
	struct envoy all[2 * MOST_BUSY + MOST_LATE];
	unsigned n, n_busy, n_late; /* a late one is not counted as busy */
	unsigned n_stuck;           /* killed, and not there yet */
};

struct envoys *envoys_new(const struct envoys_task *task)
{
	struct envoys *envoys = g_new0(struct envoys, 1);

	envoys->task = task;
	return envoys;
}

unsigned envoys_busy(const struct envoys *envoys)
{
	return envoys->n_busy;
}

unsigned envoys_late(const struct envoys *envoys)
{
	return envoys->n_late;
}

static void say(int sock, int word)
{
	(void)send(sock, &word, sizeof(word), MSG_NOSIGNAL);
}

void envoys_say(const struct envoys_voice *voice, const char *path, enum bind_outcome outcome,
		int error)
{
	int word;

	while (!envoy_report_add(voice->report, path, outcome, error)) {
		say(voice->sock, REPORT_FULL);
		if (recv(voice->sock, &word, sizeof(word), 0) != sizeof(word))
			_exit(1);
	}
}

bool envoys_too_many_stuck(const struct envoys *envoys)
{
	return envoys->n_stuck >= MOST_STUCK;
}

/* Nobody waits for the end of an output that one that is stuck still has. */
static void let_go_of_stdio(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		(void)dup2(null, fd);
}

/* In the new process. */
_Noreturn static void be_envoy(const struct envoys_task *task, pid_t parent, int sock,
			       struct envoy_report *report)
{
	const struct envoys_voice voice = { .sock = sock, .report = report };
	struct envoy_job job;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	let_go_of_stdio();
	task->begin(sock, task->arg);
	while (getppid() == parent && recv(sock, &job, sizeof(job), 0) == sizeof(job))
		say(sock, (int)task->work(&voice, &job, task->arg));
	_exit(0);
}

static void clear(struct envoy *e)
{
	fd_close(&e->sock);
	e->report = envoy_report_free(e->report);
}

/* Returns 0 or -errno; the new one is the last. */
static int add(struct envoys *envoys)
{
	struct envoy e = { 0 };
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	e.sock = pair[0];
	e.report = envoy_report_new();
	e.pid = e.report ? fork() : -1;
	if (e.pid == 0)
		be_envoy(envoys->task, self, pair[1], e.report);
	if (e.pid < 0) {
		int err = errno;

		clear(&e);
		close(pair[1]);
		return -err;
	}
	close(pair[1]);
	envoys->all[envoys->n++] = e;
	return 0;
}

static void tell(const struct envoys *envoys, const struct envoy *e, enum bind_outcome outcome,
		 int error, const char *path)
{
	const struct bind_event event = {
		.pid = e->job.pid, .path = path, .outcome = outcome, .error = error
	};

	envoys->task->told(&event, envoys->task->caller_arg);
}

static void read_report(const struct envoys *envoys, const struct envoy *e)
{
	envoy_report_read(e->report, e->job.pid, envoys->task->told, envoys->task->caller_arg);
}

static void tell_slow(const struct envoys *envoys, const struct envoy *e)
{
	if (envoys->task->slow)
		envoys->task->slow(e->job.number, envoys->task->caller_arg);
}

static void end_job(struct envoys *envoys, struct envoy *e, enum envoy_result result)
{
	if (e->late)
		envoys->n_late--;
	else
		envoys->n_busy--;
	if (!e->late && sys_coarse_ms() - e->since_ms >= SLOW_MS)
		tell_slow(envoys, e);
	e->busy = e->late = false;
	envoys->task->ended(e->job.number, result, envoys->task->caller_arg);
}

/* The last one gets its place. */
static void drop(struct envoys *envoys, struct envoy *e)
{
	clear(e);
	*e = envoys->all[--envoys->n];
}

/* What it said until now. Returns false when it is gone. */
static bool hear(struct envoys *envoys, struct envoy *e)
{
	for (;;) {
		int word;
		ssize_t n = recv(e->sock, &word, sizeof(word), MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n != sizeof(word))
			return false;
		read_report(envoys, e);
		if (word == REPORT_FULL)
			say(e->sock, word);
		else
			end_job(envoys, e, (enum envoy_result)word);
	}
}

static void hear_or_drop(struct envoys *envoys, struct envoy *e)
{
	if (hear(envoys, e))
		return;
	read_report(envoys, e);
	if (e->busy) {
		tell(envoys, e, BIND_FAILED, EIO, "");
		end_job(envoys, e, ENVOY_DONE);
	}
	drop(envoys, e);
}

/* A killed one may still be at work on another CPU. It stays to be reaped. */
static void wait_a_moment(pid_t pid)
{
	for (unsigned i = 0; i < MOMENT_MS * 10; i++) {
		siginfo_t info = { 0 };

		if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			return;
		g_usleep(100);
	}
}

/* It ends in a moment, or is stuck in the kernel and left alone. What it had done is told. */
static void give_up(struct envoys *envoys, struct envoy *e, enum envoy_result result)
{
	(void)kill(e->pid, SIGKILL);
	envoys->n_stuck++;
	wait_a_moment(e->pid);
	(void)hear(envoys, e);
	read_report(envoys, e);
	if (e->busy && result == ENVOY_DONE)
		tell(envoys, e, BIND_TIMEOUT, 0, "");
	if (e->busy)
		end_job(envoys, e, result);
	drop(envoys, e);
}

static unsigned patience(const struct envoys *envoys, const struct envoy *e)
{
	if (e->late)
		return LATE_MS;
	return envoys->n_late == 0 ? QUICK_MS : envoys->n_late < MANY_LATE ? 100 : 10;
}

static struct envoy *find_oldest(struct envoys *envoys)
{
	struct envoy *found = NULL;

	for (unsigned i = 0; i < envoys->n; i++) {
		struct envoy *e = &envoys->all[i];

		if (e->late && (!found || e->since_ms < found->since_ms))
			found = e;
	}
	return found;
}

/* From the last to the first: in the place of one that is dropped is one that was looked at. */
static void look_at_clock(struct envoys *envoys)
{
	uint64_t now = sys_coarse_ms();

	for (unsigned i = envoys->n; i-- > 0;) {
		struct envoy *e = &envoys->all[i];

		if (!e->busy || now - e->since_ms < patience(envoys, e))
			continue;
		if (e->late) {
			give_up(envoys, e, ENVOY_DONE);
			continue;
		}
		e->late = true;
		envoys->n_busy--;
		envoys->n_late++;
		tell_slow(envoys, e);
	}
	while (envoys->n_late > MOST_LATE)
		give_up(envoys, find_oldest(envoys), ENVOY_LATE);
}

static int time_left(const struct envoys *envoys)
{
	uint64_t now = sys_coarse_ms(), left = LATE_MS;

	for (unsigned i = 0; i < envoys->n; i++) {
		const struct envoy *e = &envoys->all[i];

		if (e->busy) {
			uint64_t end = e->since_ms + patience(envoys, e);

			left = MIN(left, end > now ? end - now : 0);
		}
	}
	return (int)left + 1;
}

/* Nobody else's children are there. One that was idle, and ended, is no harm to the count. */
static void reap(struct envoys *envoys)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		if (envoys->n_stuck > 0)
			envoys->n_stuck--;
}

void envoys_hear(struct envoys *envoys, unsigned most_ms)
{
	struct pollfd polls[G_N_ELEMENTS(envoys->all)];
	unsigned n = envoys->n;

	for (unsigned i = 0; i < n; i++)
		polls[i] = (struct pollfd){ .fd = envoys->all[i].sock, .events = POLLIN };
	if (poll(polls, n, MIN(time_left(envoys), (int)most_ms)) > 0)
		for (unsigned i = n; i-- > 0;)
			if (polls[i].revents)
				hear_or_drop(envoys, &envoys->all[i]);
	look_at_clock(envoys);
	reap(envoys);
}

static struct envoy *find_idle(struct envoys *envoys)
{
	for (unsigned i = 0; i < envoys->n; i++)
		if (!envoys->all[i].busy)
			return &envoys->all[i];
	return NULL;
}

/* Returns 0 or -errno. */
static int find_or_add(struct envoys *envoys, struct envoy **ret)
{
	int r;

	if (envoys->n_busy >= MOST_BUSY)
		return -EBUSY;
	*ret = find_idle(envoys);
	if (*ret)
		return 0;
	r = envoys->n < G_N_ELEMENTS(envoys->all) ? add(envoys) : -EBUSY;
	if (r < 0)
		return envoys->n_busy > 0 ? -EBUSY : r; /* there are some for those that wait */
	*ret = &envoys->all[envoys->n - 1];
	return 0;
}

int envoys_send(struct envoys *envoys, const struct envoy_job *job)
{
	for (unsigned tries = 0;; tries++) {
		struct envoy *e;
		int r = find_or_add(envoys, &e);

		if (r < 0)
			return r;
		if (send(e->sock, job, sizeof(*job), MSG_NOSIGNAL) == sizeof(*job)) {
			e->busy = true;
			e->since_ms = sys_coarse_ms();
			e->job = *job;
			envoys->n_busy++;
			return 0;
		}
		r = -errno;
		drop(envoys, e);
		if (r != -EPIPE || tries == MOST_BUSY)
			return r;
	}
}

struct envoys *envoys_end(struct envoys *envoys)
{
	uint64_t deadline;
	pid_t r = 0;

	while (envoys->n_busy + envoys->n_late > 0)
		envoys_hear(envoys, LATE_MS);
	while (envoys->n > 0)
		drop(envoys, &envoys->all[envoys->n - 1]);
	deadline = sys_coarse_ms() + DYING_MS;
	while (r >= 0 && sys_coarse_ms() < deadline) {
		r = waitpid(-1, NULL, WNOHANG);
		if (r == 0)
			g_usleep(100);
	}
	g_free(envoys);
	return NULL;
}
