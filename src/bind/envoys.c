/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/envoys.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

/* A container's files take some milliseconds. Who takes longer works on beside the others … */
#define QUICK_MS  1000u
/* … this long, … */
#define LATE_MS   5000u
/* … and the next ones that are waited for are given less: there may be thousands. */
#define MANY_LATE 8u
#define MOST_LATE 64u

struct message {
	enum bind_outcome outcome;
	int error;
	char path[PATH_MAX];
};

struct worker {
	pid_t pid;   /* its own */
	pid_t asked; /* of the container's process */
	int sock;
	uint64_t started_ms;
};

struct envoys {
	bind_fn *fn;
	void *arg;
	struct worker late[MOST_LATE]; /* at work; the oldest first */
	unsigned n_late;
};

struct envoys *envoys_new(bind_fn *fn, void *arg)
{
	struct envoys *envoys = g_new0(struct envoys, 1);

	envoys->fn = fn;
	envoys->arg = arg;
	return envoys;
}

void envoys_say(const struct envoys_voice *voice, const char *path, enum bind_outcome outcome,
		int error)
{
	struct message m = { .outcome = outcome, .error = error };
	size_t len = strnlen(path, sizeof(m.path) - 1);

	memcpy(m.path, path, len);
	(void)send(voice->sock, &m, offsetof(struct message, path) + len, MSG_NOSIGNAL);
}

static void tell(const struct envoys *envoys, pid_t pid, enum bind_outcome outcome, int error,
		 const char *path)
{
	const struct bind_event event = {
		.pid = pid, .path = path, .outcome = outcome, .error = error
	};

	envoys->fn(&event, envoys->arg);
}

/* Passes messages on until the worker has no more to say (true) or the time is up. */
static bool listen_to(const struct envoys *envoys, const struct worker *w, uint64_t until_ms)
{
	for (;;) {
		struct pollfd p = { .fd = w->sock, .events = POLLIN };
		uint64_t now = sys_coarse_ms();
		int timeout = now < until_ms ? (int)(until_ms - now) : 0;
		struct message m;
		ssize_t n;
		int r = poll(&p, 1, timeout);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		n = recv(w->sock, &m, sizeof(m) - 1, 0);
		if (n < (ssize_t)offsetof(struct message, path) || m.outcome >= BIND_N_OUTCOMES)
			return true;
		((char *)&m)[n] = '\0';
		tell(envoys, w->asked, m.outcome, m.error, m.path);
	}
}

/* Who said all is gone in a moment: nobody waits for that, the others want to be put right, too. */
static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* Gone within a moment, or stuck in the kernel and left alone. What it had done is told, too. */
static void end(const struct envoys *envoys, const struct worker *w)
{
	(void)kill(w->pid, SIGKILL);
	for (unsigned i = 0; i < 500 && waitpid(w->pid, NULL, WNOHANG) == 0; i++)
		g_usleep(100);
	(void)listen_to(envoys, w, 0);
	tell(envoys, w->asked, BIND_TIMEOUT, 0, "");
}

static void forget(struct envoys *envoys, unsigned i)
{
	fd_close(&envoys->late[i].sock);
	envoys->n_late--;
	memmove(&envoys->late[i], &envoys->late[i + 1],
		(envoys->n_late - i) * sizeof(envoys->late[0]));
}

static void give_up(struct envoys *envoys, unsigned i)
{
	const struct worker *w = &envoys->late[i];

	if (!listen_to(envoys, w, w->started_ms + LATE_MS))
		end(envoys, w);
	forget(envoys, i);
}

static void hear(struct envoys *envoys, unsigned i, uint64_t until_ms)
{
	if (listen_to(envoys, &envoys->late[i], until_ms))
		forget(envoys, i);
}

/* Also so that nobody is kept waiting who has much to say. */
static void make_room(struct envoys *envoys)
{
	for (unsigned i = envoys->n_late; i-- > 0;)
		hear(envoys, i, 0);
	reap();
	if (envoys->n_late == MOST_LATE)
		give_up(envoys, 0);
}

/* In the new process. */
_Noreturn static void be_worker(pid_t parent, int sock, envoys_work *work, const void *arg)
{
	const struct envoys_voice voice = { .sock = sock };

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent)
		work(&voice, arg);
	_exit(0);
}

int envoys_send(struct envoys *envoys, pid_t pid, bool wait, envoys_work *work, const void *arg)
{
	struct worker w = { .asked = pid, .started_ms = sys_coarse_ms() };
	pid_t self = getpid();
	unsigned patience = envoys->n_late == 0 ? QUICK_MS : envoys->n_late < MANY_LATE ? 100 : 10;
	int pair[2];

	make_room(envoys);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	w.sock = pair[0];
	w.pid = fork();
	if (w.pid == 0)
		be_worker(self, pair[1], work, arg);
	close(pair[1]);
	if (w.pid < 0) {
		int err = errno;

		close(pair[0]);
		return -err;
	}
	envoys->late[envoys->n_late++] = w;
	if (wait)
		hear(envoys, envoys->n_late - 1, w.started_ms + patience);
	return 0;
}

void envoys_wait(struct envoys *envoys)
{
	for (unsigned i = envoys->n_late; i-- > 0;)
		hear(envoys, i, envoys->late[i].started_ms + QUICK_MS);
}

struct envoys *envoys_end(struct envoys *envoys)
{
	pid_t r = 0;

	while (envoys->n_late > 0)
		give_up(envoys, 0);
	/* Nobody else's to wait for; one that is stuck is left. */
	for (unsigned i = 0; i < 500 && r >= 0; i += r == 0) {
		r = waitpid(-1, NULL, WNOHANG);
		if (r == 0)
			g_usleep(100);
	}
	g_free(envoys);
	return NULL;
}
