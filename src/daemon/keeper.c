/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/crew.h"
#include "daemon/estate.h"
#include "daemon/handshake.h"
#include "daemon/mount.h"
#include "daemon/notify.h"
#include "daemon/repair.h"
#include "daemon/shared.h"
#include "host/host.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* The first worker is to serve by then. */
#define START_TIMEOUT_MS 11000u

struct keeper {
	const struct config *config;
	char **argv;
	struct mountpoint mountpoint;
	int fuse, signals;
	bool has_pidfile, served;
	struct shared shared;
	sigset_t inherited; /* signal mask */
	int ended_by;       /* signal; 0: none */
	pid_t repair; /* the process that looks for what a dead instance left in containers */
	struct crew *crew;
	struct estate estate;
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

static struct handed handed(const struct keeper *k)
{
	return (struct handed){
		.fuse = k->fuse, .shared = k->shared.fd, .lock = k->mountpoint.lock, .control = -1
	};
}

/* SIGHUP: the binary that lies on disk now takes over, if it can. */
static void upgrade(struct keeper *k)
{
	const char *path = k->shared.header->record.executable;
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
	struct handed h = handed(k);

	crew_dismiss_others(k->crew);
	if (serving) {
		h.control = serving->control;
		h.worker = serving->pid;
	}
	log_info("upgraded to %s", k->shared.header->record.executable);
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

/* Waits for something to do, and does it. Returns WISH_STOP: asked to; *@ret_news otherwise. */
static enum wish turn(struct keeper *k, enum crew_news *ret_news)
{
	int fds[CREW_N_FDS];
	struct pollfd p[] = {
		{ .fd = k->signals, .events = POLLIN },
		{ .fd = estate_fd(&k->estate), .events = POLLIN },
		[2 + CREW_N_FDS - 1] = { 0 },
	};
	int timeout = crew_fds(k->crew, fds);
	enum wish wish = WISH_NONE;

	for (size_t i = 0; i < CREW_N_FDS; i++)
		p[i + 2] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	if (poll(p, G_N_ELEMENTS(p), timeout) < 0 && errno != EINTR)
		g_error("poll: %s", g_strerror(errno));
	if (p[0].revents)
		wish = take_signal(k);
	if (wish == WISH_UPGRADE)
		upgrade(k);
	*ret_news = wish == WISH_STOP ? CREW_SAME : crew_run(k->crew);
	return wish;
}

/* Until asked to stop (true), or until there is nothing left to serve (false). */
static bool watch(struct keeper *k)
{
	enum crew_news news;

	while (turn(k, &news) != WISH_STOP) {
		if (news == CREW_UPGRADED)
			become_upgraded(k);
		if (news == CREW_UNMOUNTED)
			return false;
		estate_run(&k->estate);
		if (k->repair > 0 && waitpid(k->repair, NULL, WNOHANG) != 0)
			k->repair = 0;
	}
	return true;
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
	if (crew_serving(k->crew))
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

/* The memory that outlives workers, and us. */
static bool set_up_memory(struct keeper *k, const struct host *host, GError **error)
{
	struct keeper_record *record;
	unsigned n_cpus;
	int r = host_possible_cpus(host, &n_cpus);

	if (r < 0)
		return fail(error, -r, "cannot tell how many cpus this host has");
	r = shared_create(n_cpus, &k->shared);
	if (r < 0)
		return fail(error, -r, "cannot make the memory that outlives a worker");
	record = &k->shared.header->record;
	record->keeper = getpid();
	record->mounted_ms = sys_boottime_ns() / 1000000;
	r = host_self_exe_path(host, record->executable, sizeof(record->executable));
	return r == 0 || fail(error, -r, "cannot tell where our own executable lies");
}

static bool set_up_crew(struct keeper *k, const struct host *host, GError **error)
{
	int executable = host_open_self_exe(host);
	struct handed h = handed(k);

	if (executable < 0)
		return fail(error, -executable, "cannot open our own executable");
	k->crew = crew_new(executable, k->argv, &h, &k->inherited, k->shared.header);
	return true;
}

static bool set_up_mount(struct keeper *k, const struct host *host, GError **error)
{
	const struct config *c = k->config;

	return set_up_memory(k, host, error) &&
	       mount_prepare(host, c->mountpoint, c->nonempty, &k->mountpoint, error) &&
	       write_pidfile(k, error) && take_signals(k, error) &&
	       mount_fuse(c->mountpoint, c->mount_options, &k->fuse, error) &&
	       handshake_answer(k->fuse, k->shared.header, error) && set_up_crew(k, host, error);
}

/* In place of a keeper that died, or of a former binary: all is there. */
static bool take_over(struct keeper *k, const struct host *host, GError **error)
{
	const struct handed *h = &k->config->handed;
	int r;

	k->fuse = h->fuse;
	k->mountpoint.lock = h->lock;
	k->served = true;
	for (size_t i = 0; i < 4; i++)
		(void)fcntl((const int[]){ h->fuse, h->shared, h->lock, h->control }[i], F_SETFD,
			    FD_CLOEXEC);
	r = shared_resume(h->shared, &k->shared);
	if (r < 0)
		return fail(error, -r, "cannot take over from a former version");
	if (atomic_exchange(&k->shared.header->record.keeper, getpid()) != getpid())
		k->shared.header->record.keepers++;
	if (!write_pidfile(k, error) || !take_signals(k, error) || !set_up_crew(k, host, error))
		return false;
	if (h->worker)
		(void)crew_adopt(k->crew, h);
	return true;
}

/* On with the mount of an earlier instance, whose descriptors somebody kept. */
static bool inherit(struct keeper *k, const struct host *host, struct handover *pair,
		    GError **error)
{
	const char *mountpoint = k->config->mountpoint;
	unsigned n_cpus;
	int r = host_possible_cpus(host, &n_cpus);

	if (!mount_resume(host, mountpoint, &k->mountpoint, error))
		return false;
	if (r == 0)
		r = shared_resume(pair->state, &k->shared);
	if (r == 0)
		pair->state = -1;
	else if (r == -EPROTO) /* of another version */
		r = shared_replace(pair->state, n_cpus, &k->shared);
	if (r == 0)
		r = host_self_exe_path(host, k->shared.header->record.executable,
				       sizeof(k->shared.header->record.executable));
	if (r < 0)
		return fail(error, -r, "cannot go on with the mount of an earlier instance");
	k->fuse = fd_steal(&pair->fuse);
	k->served = true;
	k->shared.header->record.keeper = getpid();
	k->shared.header->record.worker = 0;
	return write_pidfile(k, error) && take_signals(k, error) && set_up_crew(k, host, error);
}

static bool inherit_or_mount(struct keeper *k, const struct host *host, GError **error)
{
	AUTO_HANDOVER struct handover pair = estate_find(k->config->mountpoint);
	g_autoptr(GError) why = NULL;

	if (pair.fuse < 0)
		return set_up_mount(k, host, error);
	if (inherit(k, host, &pair, &why))
		return true;
	if (g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_EXIST)) { /* it is in use */
		g_propagate_error(error, g_steal_pointer(&why));
		return false;
	}
	log_warning("%s: mounting anew", why->message);
	k->served = false;
	estate_refuse(k->config->mountpoint);
	fd_close(&k->fuse);
	shared_clear(&k->shared);
	mount_give_up(k->config->mountpoint, &k->mountpoint, true);
	return set_up_mount(k, host, error);
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
	struct host *host;
	int r = host_open("/", &host);
	bool ok;

	if (r < 0)
		return fail(error, -r, "cannot open the host's proc and sys");
	if (k->config->role == ROLE_FIRST)
		warn_of_host(host);
	ok = k->config->role == ROLE_KEEPER ? take_over(k, host, error)
					    : inherit_or_mount(k, host, error);
	host_free(host);
	/* One that takes over has readers already, and tries for as long as it takes. */
	return ok && (k->served || start_serving(k, error));
}

static void tear_down(struct keeper *k)
{
	struct host *host;
	bool stays = false;

	if (k->fuse >= 0 && host_open("/", &host) == 0) {
		stays = k->ended_by && estate_has_heir(&k->estate, host, k->ended_by);
		if (!stays)
			mount_detach(host, k->config->mountpoint);
		host_free(host);
	}
	k->crew = crew_free(k->crew);
	if (stays)
		estate_leave(&k->estate);
	else
		estate_end(&k->estate);
	if (k->has_pidfile)
		(void)unlink(k->config->pidfile);
	fd_close(&k->fuse);
	fd_close(&k->signals);
	shared_clear(&k->shared);
	mount_give_up(k->config->mountpoint, &k->mountpoint, k->served);
}

static void go_on(struct keeper *k)
{
	const struct handover pair = { .fuse = k->fuse, .state = k->shared.fd };

	log_info("serving at %s", k->config->mountpoint);
	notify("READY=1");
	if (k->config->role == ROLE_FIRST)
		k->repair = repair_start(k->config->mountpoint);
	estate_keep(&k->estate, &pair, k->config->role == ROLE_KEEPER);
}

bool keeper_run(const struct config *config, char **argv, GError **error)
{
	struct keeper k = { .config = config,
			    .argv = argv,
			    .mountpoint = { .lock = -1 },
			    .fuse = -1,
			    .signals = -1,
			    .shared = { .fd = -1 },
			    .estate = ESTATE_NONE };
	bool ok;

	(void)prctl(PR_SET_NAME, "lxcfs-clone"); /* execveat(2) names it by a number */
	k.estate.mountpoint = config->mountpoint;
	k.estate.holder_seconds = config->holder_seconds;
	ok = set_up(&k, error);
	if (!ok && config->role == ROLE_KEEPER) /* the mount is its worker's still */
		return false;
	k.served = k.served || ok;
	if (ok) {
		go_on(&k);
		ok = watch(&k);
		notify("STOPPING=1");
		if (!ok)
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
				    "%s was unmounted by somebody else", config->mountpoint);
	}
	tear_down(&k);
	return ok;
}
