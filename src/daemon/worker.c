/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/worker.h"

#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/channel.h"
#include "daemon/hierarchies.h"
#include "daemon/shared.h"
#include "daemon/watchdog.h"
#include "sample/sampler.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/sys.h"

/* Between two attempts to start a keeper. */
#define REVIVE_PAUSE_MS 1000

/* How long one that stands by watches after the keeper's death. */
#define ORPHAN_MS 2000

/* How often one that stands by looks whether the keeper has left it a dead worker's place. */
#define LOOK_MS 3000

/* So many looks in a row at which nothing moved: a keeper that is well would have acted. */
#define MOST_STILL 3u

/* Rendering needs little; the biggest frame is a few buffers of 8 KiB. */
#define STACK_SIZE (512u << 10)

struct worker {
	char **argv;
	int executable; /* our own */
	struct handed handed;
	uint64_t revived_ms; /* when we started a keeper last */
	pid_t fenced;        /* the keeper that we killed; 0: none */
	struct shared shared;
	struct host *host;
	struct cg_layout *layout;
	struct state_table *states;
	struct container_table *containers;
	struct names *names;
	struct fs fs;
	struct channel *channel;
	struct sampler *sampler;
	pthread_t threads[SHARED_N_THREADS];
	atomic_uint running; /* threads */
	atomic_bool unmounted;
};

/* All that can be done while another worker serves. -EPROTO: not by this program. */
static int open_early(struct worker *w, const struct config *c)
{
	int r = shared_map(c->handed.shared, &w->shared);

	if (r == 0)
		r = host_open("/", &w->host);
	if (r == 0)
		r = hierarchies_detect(w->host, &w->layout);
	if (r == 0)
		w->executable = host_open_self_exe(w->host);
	if (r < 0 || w->executable < 0)
		return r < 0 ? r : w->executable;
	if (w->shared.header->record.worker) /* else it is the first one, which is in haste */
		(void)setpriority(PRIO_PROCESS, 0, w->shared.header->record.nice);
	r = channel_new(c->handed.fuse, &w->shared, &w->fs, &w->channel);
	/* Not to be found paged out by the kernel when a request comes while we die. */
	if (r == 0 && mlock(w->shared.journal, SHARED_N_THREADS * sizeof(struct journal_slot)) < 0)
		log_debug("cannot lock the request buffers: %s", g_strerror(errno));
	return r;
}

/* What is made of the memory that the former worker wrote to until now. */
static int open_late(struct worker *w, const struct config *c)
{
	struct shared_header *h = w->shared.header;

	w->states = state_table_new(w->shared.states, SHARED_N_STATES, h->n_cpus);
	w->containers = container_table_new(w->host, w->layout, w->states);
	if (!w->containers)
		return -EACCES;
	w->names = names_new(w->shared.names);
	w->sampler = sampler_new(w->host, w->containers, c->view.loadavg);
	w->fs.tree = (struct tree){ .host = w->host, .names = w->names };
	w->fs.renderer = (struct renderer){ .host = w->host,
					    .containers = w->containers,
					    .options = &c->view };
	w->fs.snapshots = snapshots_new(w->shared.snapshots, SHARED_N_SNAPSHOTS, h->text_size);
	host_on_slow(w->host, channel_step_aside, w->channel);
	snapshots_on_wait(w->fs.snapshots, channel_step_aside, w->channel);
	channel_take_over(w->channel);
	return 0;
}

static void close_all(struct worker *w)
{
	channel_free(w->channel);
	snapshots_free(w->fs.snapshots);
	sampler_free(w->sampler);
	names_free(w->names);
	container_table_free(w->containers);
	state_table_free(w->states);
	cg_layout_free(w->layout);
	host_free(w->host);
	fd_close(&w->executable);
	shared_clear(&w->shared);
}

struct thread_arg {
	struct worker *worker;
	unsigned number;
};

static void *serve(void *arg)
{
	struct thread_arg a = *(struct thread_arg *)arg;

	g_free(arg);
	if (channel_serve(a.worker->channel, a.number) == CHANNEL_UNMOUNTED) {
		atomic_store(&a.worker->unmounted, true);
		/* Wakes the main thread, as the keeper's SIGTERM does. */
		(void)kill(getpid(), SIGTERM);
	}
	atomic_fetch_sub(&a.worker->running, 1);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig; /* interrupts a read from /dev/fuse, no more */
}

static void start_threads(struct worker *w)
{
	const struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART */
	pthread_attr_t attr;

	sigaction(SIGUSR1, &act, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	for (unsigned i = 0; i < SHARED_N_THREADS; i++) {
		struct thread_arg *arg = g_new(struct thread_arg, 1);
		int r;

		*arg = (struct thread_arg){ .worker = w, .number = i };
		atomic_fetch_add(&w->running, 1);
		r = pthread_create(&w->threads[i], &attr, serve, arg);
		if (r != 0)
			g_error("cannot start a thread: %s", g_strerror(r));
	}
	pthread_attr_destroy(&attr);
}

/* A signal that comes just before a thread goes to wait is lost: so again until all have left. */
static void stop_threads(struct worker *w)
{
	channel_stop(w->channel);
	while (atomic_load(&w->running) > 0) {
		for (unsigned i = 0; i < SHARED_N_THREADS; i++)
			(void)pthread_kill(w->threads[i], SIGUSR1);
		g_usleep(1000);
	}
	for (unsigned i = 0; i < SHARED_N_THREADS; i++)
		pthread_join(w->threads[i], NULL);
}

static bool is_dead(pid_t pid)
{
	AUTO_FD int fd = pid > 0 ? sys_pidfd_open(pid) : -1;
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return fd < 0 || poll(&p, 1, 0) == 1;
}

/*
 * To start a keeper is for who gets his own pid into the record in place of @former, the keeper's,
 * which is dead, or that of a worker that claimed it and died, or hangs.
 */
static bool claim_keeper(struct worker *w, int32_t former)
{
	struct keeper_record *record = &w->shared.header->record;

	if (!atomic_compare_exchange_strong(&record->keeper, &former, getpid()))
		return false;
	record->keepers++;
	return true;
}

/* Start a keeper that goes on with us, if there is none. */
static void revive_keeper(struct worker *w)
{
	struct handed h = w->handed;
	int32_t former = atomic_load(&w->shared.header->record.keeper);
	int pair[2];
	pid_t pid;

	w->revived_ms = sys_coarse_ms();
	if (former != getpid() && (!is_dead(former) || !claim_keeper(w, former)))
		return;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	h.control = pair[1];
	h.peer = getpid();
	pid = fork();
	if (pid == 0) {
		child_exec(w->executable, w->argv, "--keeper", &h);
		_exit(WORKER_FAILED);
	}
	close(pair[1]);
	if (pid < 0)
		close(pair[0]);
	else
		w->handed.control = pair[0];
	log_warning(pid < 0 ? "the keeper died, and no other one can be started"
			    : "the keeper died, another one takes its place");
}

/* Whether the keeper that started us is dead, nobody has taken its place, and it falls to us. */
static bool is_last(struct worker *w, uint64_t orphaned_ms)
{
	struct keeper_record *record = &w->shared.header->record;
	int32_t keeper = atomic_load(&record->keeper), serving = record->worker;
	/* The worker claimed it, but is stopped, or frozen: the next keeper will see to that. */
	bool late = sys_coarse_ms() - orphaned_ms > ORPHAN_MS;

	return (is_dead(keeper) || keeper == w->fenced || (late && keeper == serving)) &&
	       (late || is_dead(serving)) && claim_keeper(w, keeper);
}

/*
 * The keeper died while we stood by. The worker that serves starts another one, which has no use
 * for us; but if that worker dies before it has, or does nothing, we are all that is left.
 */
static void become_keeper_if_last(struct worker *w)
{
	struct keeper_record *record = &w->shared.header->record;
	uint64_t orphaned_ms = sys_coarse_ms();
	struct handed h = w->handed;

	while (!is_last(w, orphaned_ms)) {
		int32_t keeper = atomic_load(&record->keeper);

		if (keeper != h.peer && keeper != record->worker && !is_dead(keeper))
			return;
		g_usleep(10000);
	}
	h.control = -1;
	h.peer = is_dead(record->worker) ? 0 : record->worker;
	log_warning("the keeper died, one that stood by takes its place");
	child_exec(w->executable, w->argv, "--keeper", &h);
}

/* How often in a row nothing has moved that should. A look that comes late says nothing. */
static unsigned count_still(const struct worker *w, uint64_t *looked_ms, uint64_t *total,
			    unsigned before)
{
	struct pollfd queue = { .fd = w->handed.fuse, .events = POLLIN };
	uint64_t now = sys_coarse_ms(), since = *looked_ms;
	bool still = watchdog_is_still(&w->shared, poll(&queue, 1, 0) == 1, total);

	*looked_ms = now;
	return still && now - since < 2 * LOOK_MS ? before + 1 : 0;
}

/*
 * A keeper that is well has us go on at once when the worker dies, and within seconds when that
 * does nothing. One that has not is stopped: it is killed, so that it does not come to life beside
 * another one. If it is frozen (on v1) it does that when it is thawed, and nothing before.
 */
static void watch_keeper(struct worker *w)
{
	const struct keeper_record *record = &w->shared.header->record;
	struct pollfd p = { .fd = w->handed.control, .events = POLLIN };
	pid_t dead = 0; /* the worker, at the last look */
	uint64_t looked_ms = sys_coarse_ms(), total = 0;
	unsigned still = 0;

	while (poll(&p, 1, LOOK_MS) == 0) {
		pid_t serving = record->worker;

		still = serving ? count_still(w, &looked_ms, &total, still) : 0;
		if ((serving && serving == dead) || still == MOST_STILL) {
			w->fenced = w->handed.peer;
			log_warning("the keeper does nothing, and is ended");
			(void)kill(w->fenced, SIGKILL);
			return;
		}
		dead = serving && is_dead(serving) ? serving : 0;
	}
}

/* Stands by until the keeper says go. Returns false when it is not to serve. */
static bool stand_by(struct worker *w)
{
	char byte = WORKER_READY;

	(void)prctl(PR_SET_PDEATHSIG, 0); /* from now on we outlive the keeper */
	if (write(w->handed.control, &byte, 1) == 1) {
		watch_keeper(w);
		if (!w->fenced && read(w->handed.control, &byte, 1) == 1)
			return byte == WORKER_GO;
	}
	become_keeper_if_last(w);
	return false;
}

/* Until SIGTERM comes. */
static void maintain(struct worker *w, int signals)
{
	for (;;) {
		int fds[SAMPLER_N_FDS];
		int timeout = sampler_fds(w->sampler, fds);
		struct pollfd p[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = w->handed.control, .events = POLLIN },
			{ .fd = fds[0], .events = POLLIN },
			{ .fd = fds[1], .events = POLLIN },
		};

		if (w->handed.control < 0 && (timeout < 0 || timeout > REVIVE_PAUSE_MS))
			timeout = REVIVE_PAUSE_MS;
		if (poll(p, G_N_ELEMENTS(p), timeout) < 0 && errno != EINTR)
			g_error("poll: %s", g_strerror(errno));
		if (p[0].revents)
			return;
		if (p[1].revents)
			fd_close(&w->handed.control);
		if (w->handed.control < 0 && sys_coarse_ms() - w->revived_ms >= REVIVE_PAUSE_MS)
			revive_keeper(w);
		sampler_run(w->sampler);
		atomic_store(&w->shared.header->containers,
			     (uint32_t)sampler_containers(w->sampler));
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigdelset(&set, SIGINT); /* ^C is for the keeper, which tells us */
	sigdelset(&set, SIGHUP);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void serve_until_told(struct worker *w, int signals)
{
	const char drained = WORKER_DRAINED;

	(void)prctl(PR_SET_NAME, "lxcfs-worker");
	(void)signal(SIGCHLD, SIG_IGN); /* a keeper that we started */
	(void)setpriority(PRIO_PROCESS, 0, w->shared.header->record.nice);
	channel_do_leftovers(w->channel, true);
	start_threads(w);
	channel_do_leftovers(w->channel, false);
	maintain(w, signals);
	stop_threads(w);
	(void)send(w->handed.control, &drained, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

enum worker_exit worker_run(const struct config *c, char **argv)
{
	struct worker w = {
		.argv = argv, .executable = -1, .handed = c->handed, .shared = { .fd = -1 }
	};
	AUTO_FD int signals = block_signals();
	int r;

	(void)prctl(PR_SET_NAME, "lxcfs-standby");
	/* Few threads that allocate little: one heap for all keeps us small. */
	(void)mallopt(M_ARENA_MAX, 1);
	r = open_early(&w, c);
	if (r == 0 && !stand_by(&w))
		r = -ECANCELED;
	else if (r == 0)
		r = open_late(&w, c);
	if (r == 0)
		serve_until_told(&w, signals);
	else if (r != -ECANCELED && r != -EPROTO)
		log_error("the worker cannot start: %s", g_strerror(-r));
	close_all(&w);
	fd_close(&w.handed.control);
	if (r < 0)
		return r == -EPROTO ? WORKER_UNFIT : WORKER_FAILED;
	return atomic_load(&w.unmounted) ? WORKER_UNMOUNTED : WORKER_STOPPED;
}
