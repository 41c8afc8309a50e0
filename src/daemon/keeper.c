/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/handshake.h"
#include "daemon/mount.h"
#include "daemon/notify.h"
#include "daemon/shared.h"
#include "daemon/worker.h"
#include "host/host.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* A worker that is not ready by then is taken for broken; an emulated machine needs half of it. */
#define READY_TIMEOUT_MS 10000

/* Workers that die younger than this are started again with a pause in between. */
#define YOUNG_MS 1000u
#define PAUSE_MS 100

/* How long a worker may take to finish what it has in hand. */
#define STOP_TIMEOUT_MS 5000

struct keeper {
	const struct config *config;
	char **argv;
	int executable; /* our own, as it was at the start: an upgrade on disk is not taken by chance */
	struct mountpoint mountpoint;
	int fuse, signals;
	bool has_pidfile, served;
	struct shared shared;
	sigset_t inherited; /* signal mask */
	pid_t worker;
	int pidfd, control; /* of the worker */
	uint64_t started_ms;
};

static bool fail(GError **error, int err, const char *what)
{
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(err), "%s: %s", what,
		    g_strerror(err));
	return false;
}

static bool write_pidfile(struct keeper *k, GError **error)
{
	const char *path = k->config->pidfile;
	g_autofree char *text = NULL;

	if (!path)
		return true;
	text = g_strdup_printf("%d\n", getpid());
	if (!g_file_set_contents(path, text, -1, NULL)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
			    "cannot write the pid file %s", path);
		return false;
	}
	k->has_pidfile = true;
	return true;
}

/* In the child. The descriptors lose close-on-exec here alone. */
static void exec_worker(const struct keeper *k, int control)
{
	const int fds[] = { k->fuse, k->shared.fd, control };
	char option[64];
	GPtrArray *argv = g_ptr_array_new();

	(void)snprintf(option, sizeof(option), "--worker=%d,%d,%d", fds[0], fds[1], fds[2]);
	g_ptr_array_add(argv, k->argv[0]);
	g_ptr_array_add(argv, option);
	for (char **a = k->argv + 1; *a; a++)
		g_ptr_array_add(argv, *a);
	g_ptr_array_add(argv, NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
		(void)fcntl(fds[i], F_SETFD, 0);
	sigprocmask(SIG_SETMASK, &k->inherited, NULL);
	(void)syscall(SYS_execveat, k->executable, "", argv->pdata, environ, AT_EMPTY_PATH);
	log_error("cannot start a worker: %s", g_strerror(errno));
	_exit(WORKER_FAILED);
}

/* Waits until @fd is readable. Returns false at the end of time, or when the worker died. */
static bool wait_byte(int fd, char expected)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char byte;

	return poll(&p, 1, READY_TIMEOUT_MS) == 1 && read(fd, &byte, 1) == 1 && byte == expected;
}

static void forget_worker(struct keeper *k)
{
	fd_close(&k->pidfd);
	fd_close(&k->control);
	k->worker = 0;
}

/* Reaps the worker, killing it unless it ends by itself. Returns its wait status. */
static int end_worker(struct keeper *k, int timeout_ms)
{
	struct pollfd p = { .fd = k->pidfd, .events = POLLIN };
	int status = 0;

	if (k->pidfd < 0 || poll(&p, 1, timeout_ms) != 1) {
		if (timeout_ms > 0)
			log_warning("worker %d did not end by itself in time", k->worker);
		(void)kill(k->worker, SIGKILL);
	}
	while (waitpid(k->worker, &status, 0) < 0 && errno == EINTR)
		;
	forget_worker(k);
	return status;
}

/* Starts a worker and lets it serve once it is ready. */
static bool start_worker(struct keeper *k, GError **error)
{
	const char go = WORKER_GO;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return fail(error, errno, "cannot make a socket for the worker");
	k->started_ms = sys_coarse_ms();
	k->worker = fork();
	if (k->worker == 0)
		exec_worker(k, pair[1]);
	close(pair[1]);
	k->control = pair[0];
	if (k->worker < 0) {
		k->worker = 0;
		fd_close(&k->control);
		return fail(error, errno, "cannot start a worker");
	}
	k->pidfd = sys_pidfd_open(k->worker);
	if (k->pidfd < 0 || !wait_byte(k->control, WORKER_READY) ||
	    write(k->control, &go, 1) != 1) {
		end_worker(k, 0);
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
			    "the worker did not get ready");
		return false;
	}
	log_debug("worker %d serves %s", k->worker, k->config->mountpoint);
	return true;
}

static void say_why(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_warning("worker %d was ended by signal %d (%s), another one takes over", pid,
			    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		log_warning("worker %d ended with status %d, another one takes over", pid,
			    WEXITSTATUS(status));
}

/* The worker died. Returns false when there is nothing left to serve. */
static bool bury_worker(struct keeper *k)
{
	pid_t pid = k->worker;
	bool young = sys_coarse_ms() - k->started_ms < YOUNG_MS;
	int status = end_worker(k, 0);

	if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_UNMOUNTED) {
		log_info("%s is mounted nowhere any more", k->config->mountpoint);
		return false;
	}
	say_why(pid, status);
	if (young)
		g_usleep(PAUSE_MS * 1000);
	return true;
}

/* A signal that asks us to stop has come. */
static bool asked_to_stop(struct keeper *k)
{
	struct signalfd_siginfo si;

	return read(k->signals, &si, sizeof(si)) == sizeof(si) && si.ssi_signo != SIGHUP;
}

/* Until asked to stop (true), or until there is nothing left to serve (false). */
static bool watch(struct keeper *k)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = k->signals, .events = POLLIN },
			{ .fd = k->pidfd, .events = POLLIN },
		};
		g_autoptr(GError) error = NULL;

		/* Without a worker (it could not be started) only a moment. */
		if (poll(p, G_N_ELEMENTS(p), k->worker ? -1 : PAUSE_MS) < 0 && errno != EINTR)
			return false;
		if (p[0].revents && asked_to_stop(k))
			return true;
		if (p[1].revents && !bury_worker(k))
			return false;
		if (!k->worker && !start_worker(k, &error))
			log_error("%s", error->message);
	}
}

static bool take_signals(struct keeper *k, GError **error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &k->inherited);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how a worker ended */
	k->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return k->signals >= 0 || fail(error, errno, "cannot receive signals");
}

/* What needs to be known of the host: our executable, and how many cpus there may be. */
static bool set_up_memory(struct keeper *k, const struct host *host, GError **error)
{
	unsigned n_cpus;
	int r;

	k->executable = host_open_self_exe(host);
	if (k->executable < 0)
		return fail(error, -k->executable, "cannot open our own executable");
	r = host_possible_cpus(host, &n_cpus);
	if (r < 0)
		return fail(error, -r, "cannot tell how many cpus this host has");
	r = shared_create(n_cpus, &k->shared);
	return r == 0 || fail(error, -r, "cannot make the memory that outlives a worker");
}

static bool set_up(struct keeper *k, GError **error)
{
	const struct config *c = k->config;
	struct host *host;
	int r = host_open("/", &host);
	bool ok;

	if (r < 0)
		return fail(error, -r, "cannot open the host's proc and sys");
	if (host_is_nested(host))
		log_warning("this is not the host's pid namespace: readers outside of it see the "
			    "host's files");
	ok = set_up_memory(k, host, error) &&
	     mount_prepare(host, c->mountpoint, c->nonempty, &k->mountpoint, error);
	host_free(host);
	return ok && write_pidfile(k, error) && take_signals(k, error) &&
	       mount_fuse(c->mountpoint, c->mount_options, &k->fuse, error) &&
	       handshake_answer(k->fuse, k->shared.header, error) && start_worker(k, error);
}

static void tear_down(struct keeper *k)
{
	struct host *host;

	if (k->fuse >= 0 && host_open("/", &host) == 0) {
		mount_detach(host, k->config->mountpoint);
		host_free(host);
	}
	if (k->worker > 0) {
		(void)kill(k->worker, SIGTERM);
		(void)end_worker(k, STOP_TIMEOUT_MS);
	}
	if (k->has_pidfile)
		(void)unlink(k->config->pidfile);
	fd_close(&k->fuse);
	fd_close(&k->executable);
	fd_close(&k->signals);
	shared_clear(&k->shared);
	mount_give_up(k->config->mountpoint, &k->mountpoint, k->served);
}

bool keeper_run(const struct config *config, char **argv, GError **error)
{
	struct keeper k = { .config = config,
			    .argv = argv,
			    .executable = -1,
			    .mountpoint = { .lock = -1 },
			    .fuse = -1,
			    .signals = -1,
			    .shared = { .fd = -1 },
			    .pidfd = -1,
			    .control = -1 };
	bool ok = set_up(&k, error);

	k.served = ok;
	if (ok) {
		log_info("serving at %s", config->mountpoint);
		notify("READY=1");
		ok = watch(&k);
		notify("STOPPING=1");
		if (!ok)
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
				    "%s was unmounted by somebody else", config->mountpoint);
	}
	tear_down(&k);
	return ok;
}
