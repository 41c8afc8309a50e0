/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cgroup/layout.h"
#include "daemon/channel.h"
#include "daemon/shared.h"
#include "sample/sampler.h"
#include "util/fd.h"
#include "util/log.h"

/* Rendering needs little; the biggest frame is a few buffers of 8 KiB. */
#define STACK_SIZE (512u << 10)

struct worker {
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

/* Where a cgroup hierarchy is mounted is seen in our own mount namespace, so in the real /proc. */
static int detect_layout(const struct host *host, struct cg_layout **ret)
{
	g_autofree char *mountinfo = g_malloc(MOUNTINFO_SIZE);
	g_autofree char *cgroup = g_malloc(1 << 16);
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n = host_read_self(host, "mountinfo", mountinfo, MOUNTINFO_SIZE);

	if (n >= 0)
		n = host_read_self(host, "cgroup", cgroup, 1 << 16);
	return n < 0 ? (int)n : cg_layout_detect(mountinfo, cgroup, root, true, ret);
}

static int open_all(struct worker *w, const struct config *c)
{
	int r = shared_map(c->shared_fd, &w->shared);
	struct shared_header *h = w->shared.header;

	if (r == 0)
		r = host_open("/", &w->host);
	if (r == 0)
		r = detect_layout(w->host, &w->layout);
	if (r < 0)
		return r;
	w->states = state_table_new(w->shared.states, SHARED_N_STATES, h->n_cpus);
	w->containers = container_table_new(w->host, w->layout, w->states);
	if (!w->containers)
		return -EACCES;
	w->names = names_new(w->shared.names);
	w->sampler = sampler_new(w->host, w->containers, c->view.loadavg);
	w->fs = (struct fs){
		.tree = { .host = w->host, .names = w->names },
		.renderer = { .host = w->host, .containers = w->containers, .options = &c->view },
		.snapshots = snapshots_new(w->shared.snapshots, SHARED_N_SNAPSHOTS, h->text_size),
	};
	r = channel_new(c->fuse_fd, &w->shared, &w->fs, &w->channel);
	if (r == 0) {
		host_on_slow(w->host, channel_step_aside, w->channel);
		snapshots_on_wait(w->fs.snapshots, channel_step_aside, w->channel);
	}
	/* Not to be found paged out by the kernel when a request comes while we die. */
	if (r == 0 && mlock(w->shared.journal, SHARED_N_THREADS * sizeof(struct journal_slot)) < 0)
		log_debug("cannot lock the request buffers: %s", g_strerror(errno));
	return r;
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

/* Ready, then go: the keeper decides when the former worker has stopped reading. */
static bool rendezvous(int control)
{
	char byte = WORKER_READY;

	return write(control, &byte, 1) == 1 && read(control, &byte, 1) == 1 && byte == WORKER_GO;
}

/* Until SIGTERM comes or the keeper is gone. */
static void maintain(struct worker *w, int control, int signals)
{
	for (;;) {
		int fds[SAMPLER_N_FDS];
		int timeout = sampler_fds(w->sampler, fds);
		struct pollfd p[] = {
			{ .fd = signals, .events = POLLIN },
			{ .fd = control, .events = POLLIN },
			{ .fd = fds[0], .events = POLLIN },
			{ .fd = fds[1], .events = POLLIN },
		};

		if (poll(p, G_N_ELEMENTS(p), timeout) < 0 && errno != EINTR)
			g_error("poll: %s", g_strerror(errno));
		if (p[0].revents || p[1].revents)
			return;
		sampler_run(w->sampler);
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

enum worker_exit worker_run(const struct config *c)
{
	struct worker w = { .shared = { .fd = -1 } };
	AUTO_FD int signals = block_signals();
	bool unmounted;
	int r;

	(void)prctl(PR_SET_NAME, "lxcfs-worker");
	/* Few threads that allocate little: one heap for all keeps us small. */
	(void)mallopt(M_ARENA_MAX, 1);
	r = open_all(&w, c);
	if (r < 0) {
		log_error("the worker cannot start: %s", g_strerror(-r));
		return WORKER_FAILED;
	}
	if (!rendezvous(c->control_fd))
		return WORKER_FAILED;
	start_threads(&w);
	maintain(&w, c->control_fd, signals);
	stop_threads(&w);
	unmounted = atomic_load(&w.unmounted);
	close_all(&w);
	return unmounted ? WORKER_UNMOUNTED : WORKER_STOPPED;
}
