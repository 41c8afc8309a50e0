/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/control.h"
#include "daemon/crew.h"
#include "daemon/estate.h"
#include "daemon/notify.h"
#include "daemon/repair.h"
#include "daemon/report.h"
#include "daemon/seat.h"
#include "host/host.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* The first worker is to serve by then. */
#define START_TIMEOUT_MS 11000u

struct keeper {
	const struct config *config;
	char **argv;
	struct seat seat;
	int signals, control; /* control: the operator's socket */
	int nice;             /* that the first one was started with: for the record */
	int asking;           /* pidfd of the process of find_heir(); -1: none */
	bool has_pidfile;
	bool announced;     /* that we serve */
	sigset_t inherited; /* signal mask */
	int ended_by;       /* signal; 0: none */
	struct crew *crew;
	struct handover found; /* what an earlier instance left, until it is taken */
	struct estate estate;
	struct repair repair;
};

static bool write_pidfile(struct keeper *k, GError **error)
{
	const char *path = k->config->pidfile;
	g_autofree char *text = NULL;
	g_autoptr(GError) why = NULL;

	if (!path)
		return true;
	text = g_strdup_printf("%d\n", getpid());
	if (!g_file_set_contents(path, text, -1, &why)) {
		if (k->seat.served) /* readers are worth more */
			log_warning("cannot write the pid file: %s", why->message);
		else
			g_propagate_prefixed_error(error, g_steal_pointer(&why),
						   "cannot write the pid file: ");
		return k->seat.served;
	}
	k->has_pidfile = true;
	return true;
}

/* SIGHUP: the binary that lies on disk now takes over, if it can. */
static void upgrade(struct keeper *k)
{
	const char *path = k->seat.shared.header->record.executable;
	int fd = open(path, O_PATH | O_CLOEXEC);

	if (fd < 0)
		log_error("cannot open %s: %s: the former one serves on", path, g_strerror(errno));
	else
		crew_upgrade(k->crew, fd);
}

/* The new binary's worker serves: be that binary, too, with pid and children as they are. */
static void become_upgraded(struct keeper *k)
{
	const struct child *serving = crew_serving(k->crew);
	struct handed h = seat_handed(&k->seat);

	crew_dismiss_others(k->crew);
	if (serving) {
		h.control = serving->control;
		h.peer = serving->pid;
	}
	log_info("upgraded to %s", k->seat.shared.header->record.executable);
	child_exec(crew_executable(k->crew), k->argv, "--keeper", &h);
	log_error("cannot go on as the new binary: %s: the former one keeps the mount",
		  g_strerror(errno));
}

enum wish { WISH_NONE, WISH_UPGRADE, WISH_STOP };

static enum wish take_signal(struct keeper *k)
{
	struct signalfd_siginfo si;

	if (read(k->signals, &si, sizeof(si)) != sizeof(si))
		return WISH_NONE;
	if (si.ssi_signo == SIGHUP)
		return WISH_UPGRADE;
	k->ended_by = (int)si.ssi_signo;
	return WISH_STOP;
}

static void answer_operator(const struct keeper *k)
{
	struct status status;

	report_fill(k->config, &k->seat.shared, k->crew, &k->estate, &k->repair, &status);
	control_serve(k->control, &status);
}

/* Waits for something to do, and does it. Returns WISH_STOP: asked to; *@ret_news otherwise. */
static enum wish turn(struct keeper *k, enum crew_news *ret_news)
{
	int fds[CREW_N_FDS];
	struct pollfd p[] = {
		{ .fd = k->signals, .events = POLLIN },
		{ .fd = estate_fd(&k->estate), .events = POLLIN },
		{ .fd = k->control, .events = POLLIN },
		{ .fd = k->asking, .events = POLLIN },
		[4 + CREW_N_FDS - 1] = { 0 },
	};
	int timeout = crew_fds(k->crew, fds);
	enum wish wish = WISH_NONE;

	for (size_t i = 0; i < CREW_N_FDS; i++)
		p[i + 4] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	if (poll(p, G_N_ELEMENTS(p), timeout) < 0 && errno != EINTR)
		g_error("poll: %s", g_strerror(errno));
	if (p[0].revents)
		wish = take_signal(k);
	if (wish == WISH_UPGRADE && !k->ended_by)
		upgrade(k);
	if (p[2].revents)
		answer_operator(k);
	*ret_news = wish == WISH_STOP ? CREW_SAME : crew_run(k->crew);
	return wish;
}

/* Once all who are to keep the mount do: from then on we may be killed. */
static void announce(struct keeper *k)
{
	if (k->announced || !estate_is_settled(&k->estate))
		return;
	k->announced = true;
	log_info("serving at %s", k->config->mountpoint);
	notify("READY=1");
}

/* Until asked to stop (true), or until there is nothing left to serve (false). */
static bool watch(struct keeper *k)
{
	enum crew_news news;

	while (!k->ended_by && turn(k, &news) != WISH_STOP) {
		if (news == CREW_UPGRADED)
			become_upgraded(k);
		if (news == CREW_UNMOUNTED)
			return false;
		estate_run(&k->estate);
		announce(k);
		repair_run(&k->repair, &k->seat.shared.header->record, k->config->mountpoint);
	}
	return true;
}

G_NORETURN static void ask_for_heir(const struct keeper *k)
{
	struct host *host;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	child_be_plain();
	_exit(host_open("/", &host) == 0 && estate_has_heir(&k->estate, host, k->ended_by)
		      ? EXIT_SUCCESS
		      : EXIT_FAILURE);
}

/*
 * Whether another instance is to go on. To ask takes seconds, when the machine is busy: a process
 * of its own does it, and should the worker die meanwhile it is replaced.
 */
static bool find_heir(struct keeper *k)
{
	int signal = k->ended_by, status = EXIT_FAILURE;
	enum crew_news news = CREW_SAME;
	pid_t pid = fork();

	if (pid == 0)
		ask_for_heir(k);
	if (pid < 0)
		return false;
	k->asking = sys_pidfd_open(pid);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		/* Meant for good now, or there is nothing left. */
		if (k->ended_by != signal || news == CREW_UNMOUNTED)
			(void)kill(pid, SIGKILL);
		(void)turn(k, &news);
	}
	fd_close(&k->asking);
	return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/*
 * Who reads a dead file gets an error at once and comes again: some of them leave nothing of the
 * CPUs to who would help them. So ten times the share of one in our cpu cgroup is ours from the
 * first moment until the worker serves, and its repair's until that is done.
 */
static void make_haste(struct keeper *k)
{
	k->nice = getpriority(PRIO_PROCESS, 0);
	(void)setpriority(PRIO_PROCESS, 0, MIN(k->nice, -10));
}

/* Until a worker serves. */
static bool start_serving(struct keeper *k, GError **error)
{
	uint64_t start = sys_coarse_ms();
	enum crew_news news = CREW_SAME;

	while (!crew_serving(k->crew) && news != CREW_UNMOUNTED &&
	       sys_coarse_ms() - start < START_TIMEOUT_MS)
		if (turn(k, &news) == WISH_STOP)
			break;
	if (crew_serving(k->crew) || k->ended_by)
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "the worker did not get ready");
	return false;
}

static bool take_signals(struct keeper *k, GError **error)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, &k->inherited);
	if (k->config->role == ROLE_KEEPER) { /* they are still blocked by whom we follow */
		sigdelset(&k->inherited, SIGTERM);
		sigdelset(&k->inherited, SIGINT);
		sigdelset(&k->inherited, SIGHUP);
	}
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* ignored, it would hide how a worker ended */
	k->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return k->signals >= 0 || fail(error, errno, "cannot receive signals");
}

static bool set_up_crew(struct keeper *k, const struct host *host, GError **error)
{
	int executable = host_open_self_exe(host);
	struct handed h = seat_handed(&k->seat);

	if (executable < 0)
		return fail(error, -executable, "cannot open our own executable");
	k->crew = crew_new(executable, k->argv, &h, &k->inherited, &k->seat.shared);
	if (k->config->role == ROLE_KEEPER && k->config->handed.peer)
		(void)crew_adopt(k->crew, &k->config->handed);
	return true;
}

static void warn_of_host(const struct host *host)
{
	unsigned timeout = host_fuse_timeout(host);

	if (host_is_nested(host))
		log_warning("this is not the host's pid namespace: readers outside of it see the "
			    "host's files");
	if (timeout > 0)
		log_warning("a sysctl fs.fuse.*_request_timeout is %u: should we ever be held up "
			    "for so many seconds, the kernel ends the mount for all containers",
			    timeout);
}

static bool set_up(struct keeper *k, GError **error)
{
	const struct config *c = k->config;
	struct host *host;
	int r = host_open("/", &host);
	bool ok;

	if (r < 0) {
		(void)fail(error, -r, "cannot open the host's proc and sys");
		return false;
	}
	if (c->role == ROLE_FIRST)
		warn_of_host(host);
	ok = seat_take(&k->seat, c, host, &k->found, error);
	if (ok && c->role == ROLE_FIRST)
		k->seat.shared.header->record.nice = k->nice;
	ok = ok && write_pidfile(k, error) && take_signals(k, error) &&
	     seat_mount(&k->seat, c, error) && set_up_crew(k, host, error);
	host_free(host);
	/* One that takes over has readers already, and tries for as long as it takes. */
	return ok && (start_serving(k, k->seat.served ? NULL : error) || k->seat.served);
}

static void end_mount(const struct keeper *k, const struct host *host)
{
	const char *mountpoint = k->config->mountpoint;
	int r = mount_end(host, mountpoint);

	if (r == 0 && k->announced)
		log_info("unmounted %s (files of it in running containers, if there are any, are "
			 "dead until the next start)",
			 mountpoint);
	else if (r == -ESTALE && k->ended_by)
		log_warning("%s is not unmounted: something else is mounted there", mountpoint);
	else if (r < 0 && r != -ESTALE)
		log_warning("cannot unmount %s: %s", mountpoint, g_strerror(-r));
}

/* @stays: for another instance. */
static void tear_down(struct keeper *k, bool stays)
{
	struct host *host = NULL;

	k->crew = crew_free(k->crew);
	if (k->seat.fuse >= 0 && !stays && host_open("/", &host) == 0)
		end_mount(k, host);
	host_free(host);
	if (stays)
		estate_leave(&k->estate);
	else
		estate_end(&k->estate);
	if (k->control >= 0)
		control_close(k->config->mountpoint, &k->control);
	if (k->has_pidfile)
		(void)unlink(k->config->pidfile);
	fd_close(&k->signals);
	seat_clear(&k->seat, k->config->mountpoint);
}

/* A worker serves, or will: what else a mount needs. */
static void settle(struct keeper *k)
{
	const struct handover pair = { .fuse = k->seat.fuse, .state = k->seat.shared.fd };
	struct keeper_record *record = &k->seat.shared.header->record;
	const char *mountpoint = k->config->mountpoint;
	bool stored = record->stored == 2, held = true;

	/* The record is of an instance before us; what still is so tells where we found it. */
	if (k->config->role == ROLE_FIRST) {
		stored = k->seat.inherited && k->estate.found == ESTATE_IN_STORE;
		held = k->seat.inherited && k->estate.found == ESTATE_WITH_HOLDER;
	}
	k->seat.served = true;
	repair_run(&k->repair, record, mountpoint);
	(void)setpriority(PRIO_PROCESS, 0, record->nice);
	record->stored = estate_keep(&k->estate, &pair, stored, held);
	k->control = control_listen(mountpoint);
	if (k->control < 0)
		log_warning("no socket for lxcfs-clonectl: %s", g_strerror(-k->control));
	announce(k);
}

bool keeper_run(const struct config *config, char **argv, GError **error)
{
	struct keeper k = { .config = config,
			    .argv = argv,
			    .seat = SEAT_NONE,
			    .signals = -1,
			    .control = -1,
			    .asking = -1,
			    .estate = ESTATE_NONE };
	bool ok, stays = false;

	(void)prctl(PR_SET_NAME, "lxcfs-clone"); /* execveat(2) names it by a number */
	k.estate.mountpoint = config->mountpoint;
	k.estate.holder_seconds = config->holder_seconds;
	if (config->role == ROLE_FIRST)
		make_haste(&k);
	k.found = config->role == ROLE_FIRST ? estate_find(&k.estate) : HANDOVER_NONE;
	ok = set_up(&k, error);
	if (!ok && k.seat.served) { /* the mount goes on without us */
		estate_leave(&k.estate);
		return false;
	}
	if (ok) {
		settle(&k);
		ok = watch(&k);
		notify("STOPPING=1");
		if (ok)
			stays = find_heir(&k);
		else
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
				    "%s was unmounted by somebody else", config->mountpoint);
	}
	tear_down(&k, stays);
	return ok;
}
