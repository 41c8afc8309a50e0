/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define FUSE_USE_VERSION 314
#include "daemon/channel.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <glib.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/backlog.h"
#include "daemon/handshake.h"
#include "daemon/verdicts.h"
#include "util/log.h"
#include "util/sys.h"

/*
 * How often a leader asks whether there is more to do than it can, and an assistant if any. A
 * leader that has served fewer than that in this time can do it alone: it need not ask.
 */
#define LEADER_ASKS_EVERY    8
#define LEADER_ASKS_MS       40
#define ASSISTANT_ASKS_EVERY 8

/* What a thread is for at the moment. */
static _Thread_local enum role {
	STANDS_BY,
	LEADS,   /* waits for requests */
	ASSISTS, /* takes what has queued up, until it finds the queue empty */
} role;

struct channel {
	int fd;
	const struct shared *shared;
	struct fs *fs;
	struct fuse_session *session;
	atomic_bool stop;
	pthread_mutex_t lock;
	pthread_cond_t vacant; /* there is something to do for one who stands by */
	bool taken;            /* somebody leads; guarded by .lock, as the next */
	bool crowded;          /* the leader calls for an assistant */
	atomic_uint assistants;
	unsigned most_assistants; /* or one more, that was called while another one came */
	bool replaying;           /* libfuse's answers go to .reply, not to the kernel */
	char reply[256];
	size_t reply_len;
};

/*
 * Should we be killed while the kernel takes a page from us that was not mapped yet (of a snapshot
 * that a former worker made), the reader would get EIO.
 */
static void map_in(const struct iovec *iov, int count)
{
	for (int i = 0; i < count; i++)
		for (size_t at = 0; at < iov[i].iov_len; at += 4096)
			(void)*((const volatile char *)iov[i].iov_base + at);
}

/*
 * A reply of up to a page goes out in one piece: the kernel pins each piece of memory that it is
 * given, which costs more than the copy.
 */
static ssize_t send_reply(int fd, const struct iovec *iov, int count)
{
	static _Thread_local _Alignas(4096) char page[4096];
	size_t len = 0;

	for (int i = 0; i < count; i++) {
		if (iov[i].iov_len > sizeof(page) - len) {
			map_in(iov, count);
			return writev(fd, iov, count);
		}
		memcpy(page + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	return write(fd, page, len);
}

static ssize_t io_writev(int fd, struct iovec *iov, int count, void *userdata)
{
	struct fs *fs = userdata;
	struct channel *ch = fs->channel;
	ssize_t total = 0;

	if (!ch->replaying)
		return send_reply(fd, iov, count);
	for (int i = 0; i < count; i++) {
		size_t n = MIN(iov[i].iov_len, sizeof(ch->reply) - ch->reply_len);

		memcpy(ch->reply + ch->reply_len, iov[i].iov_base, n);
		ch->reply_len += n;
		total += (ssize_t)iov[i].iov_len;
	}
	return total;
}

static ssize_t io_read(int fd, void *buf, size_t size, void *userdata)
{
	(void)userdata;
	return read(fd, buf, size);
}

static int replay_init(struct channel *ch)
{
	char request[256];
	struct fuse_buf buf = { .mem = request };

	buf.size = handshake_replay(ch->shared->header, request);
	ch->replaying = true;
	fuse_session_process_buf(ch->session, &buf);
	ch->replaying = false;
	return handshake_fits(ch->shared->header, ch->reply, ch->reply_len) ? 0 : -EPROTO;
}

int channel_new(int fuse_fd, const struct shared *shared, struct fs *fs, struct channel **ret)
{
	static const struct fuse_custom_io io = { .writev = io_writev, .read = io_read };
	char *argv[] = { (char[]){ "lxcfs-clone" }, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct channel *ch = g_new0(struct channel, 1);
	int r;

	ch->fd = fuse_fd;
	/* Half of the CPUs are for those who read: more of us would only take turns with them. */
	ch->most_assistants = MAX(g_get_num_processors() / 2, 1) - 1;
	pthread_mutex_init(&ch->lock, NULL);
	pthread_cond_init(&ch->vacant, NULL);
	ch->shared = shared;
	ch->fs = fs;
	fs->channel = ch;
	ch->session = fuse_session_new(&args, &fs_ops, sizeof(fs_ops), fs);
	fuse_opt_free_args(&args);
	/* libfuse closes its descriptor at the end: it gets one of its own. */
	if (!ch->session ||
	    fuse_session_custom_io(ch->session, &io, fcntl(fuse_fd, F_DUPFD_CLOEXEC, 0)) != 0) {
		channel_free(ch);
		return -ENOMEM;
	}
	r = replay_init(ch);
	if (r < 0) {
		channel_free(ch);
		return r;
	}
	*ret = ch;
	return 0;
}

struct channel *channel_free(struct channel *ch)
{
	if (!ch)
		return NULL;
	if (ch->session)
		fuse_session_destroy(ch->session);
	pthread_mutex_destroy(&ch->lock);
	pthread_cond_destroy(&ch->vacant);
	g_free(ch);
	return NULL;
}

void channel_stop(struct channel *ch)
{
	pthread_mutex_lock(&ch->lock);
	atomic_store(&ch->stop, true);
	pthread_cond_broadcast(&ch->vacant);
	pthread_mutex_unlock(&ch->lock);
}

static void answer_error(const struct channel *ch, const char *request)
{
	char reply[16];

	if (write(ch->fd, reply, handshake_error_reply(request, EIO, reply)) < 0)
		log_debug("it had been answered");
}

/* Answers @request. */
static void process(struct channel *ch, char *request, size_t len, bool again)
{
	struct fuse_buf buf = { .mem = request, .size = len };
	struct request_head head;

	handshake_head(request, &head);
	if (verdicts_has(&ch->shared->backlog->verdicts, ch->fs->tree.host, &head)) {
		answer_error(ch, request);
		return;
	}
	fs_begin_request(head.unique, again || head.resent);
	fuse_session_process_buf(ch->session, &buf);
}

/* Says which thread has something in hand, for the keeper, which looks for those that hang. */
static void beat(struct channel *ch, unsigned thread)
{
	_Atomic uint64_t *beats = &ch->shared->header->pulses[thread].beats;

	/* Nobody else writes there. */
	atomic_store_explicit(beats, atomic_load_explicit(beats, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static void give_up(const char *request, uint32_t deaths, void *arg)
{
	struct channel *ch = arg;
	const struct fs *fs = ch->fs;
	struct request_head head;
	struct node node = { 0 };
	bool others;

	handshake_head(request, &head);
	(void)tree_node(&fs->tree, head.node, &node);
	others =
		deaths >= BACKLOG_MAX_DEATHS &&
		verdicts_add(&ch->shared->backlog->verdicts, fs->tree.host, &head, sys_coarse_ms());
	log_error("reading %s by pid %u ended %u workers and is answered with EIO%s",
		  node.file ? node.file->path : node.path, head.pid, deaths,
		  others ? ", as it is to all of that container for a minute" : "");
	if (head.wants_reply)
		answer_error(ch, request);
}

void channel_take_over(struct channel *ch)
{
	struct shared_header *h = ch->shared->header;

	for (unsigned i = 0; i < SHARED_N_PULSES; i++) {
		uint64_t beats = atomic_load(&h->pulses[i].beats);

		atomic_store(&h->pulses[i].beats, (beats + 1) / 2 * 2);
	}
	backlog_collect(ch->shared->backlog, ch->shared->journal, SHARED_N_THREADS,
			atomic_exchange(&h->stuck, 0), give_up, ch);
	/* The journal is another version's, and with it what was in hand: only the kernel knows. */
	if (atomic_load(&h->lost) && !handshake_resend(ch->fd))
		log_warning("reads that were under way may hang: the kernel does not ask again: %s",
			    g_strerror(errno));
	atomic_store(&h->lost, 0);
}

void channel_do_leftovers(struct channel *ch, bool alone)
{
	struct leftover *l;

	while ((l = backlog_try_next(ch->shared->backlog, alone))) {
		struct request_head head;

		handshake_head(l->request, &head);
		beat(ch, SHARED_N_THREADS);
		process(ch, l->request, head.len, true);
		beat(ch, SHARED_N_THREADS);
		backlog_done(ch->shared->backlog, l);
	}
}

static bool is_crowded(const struct channel *ch)
{
	struct pollfd p = { .fd = ch->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void call_assistant(struct channel *ch)
{
	pthread_mutex_lock(&ch->lock);
	ch->crowded = true;
	pthread_cond_signal(&ch->vacant);
	pthread_mutex_unlock(&ch->lock);
}

void channel_step_aside(void *channel)
{
	struct channel *ch = channel;

	if (role == ASSISTS)
		atomic_fetch_sub(&ch->assistants, 1);
	if (role == LEADS) {
		pthread_mutex_lock(&ch->lock);
		ch->taken = false;
		pthread_cond_signal(&ch->vacant);
		pthread_mutex_unlock(&ch->lock);
	}
	role = STANDS_BY;
}

/* Whether a leader is in such demand that it should look for more. */
static bool in_demand(void)
{
	static _Thread_local unsigned served;
	static _Thread_local uint64_t since_ms;
	uint64_t now, before = since_ms;

	if (++served % LEADER_ASKS_EVERY != 0)
		return false;
	now = since_ms = sys_coarse_ms();
	return now - before <= LEADER_ASKS_MS;
}

/* Returns when there is something to do: true, or false when it is time to stop. */
static bool take_place(struct channel *ch)
{
	static _Thread_local unsigned served;

	if (role == ASSISTS && ++served % ASSISTANT_ASKS_EVERY == 0 && !is_crowded(ch))
		channel_step_aside(ch);
	if (role == LEADS && atomic_load(&ch->assistants) < ch->most_assistants && in_demand() &&
	    is_crowded(ch))
		call_assistant(ch);
	if (role == STANDS_BY) {
		pthread_mutex_lock(&ch->lock);
		while (ch->taken && !ch->crowded && !atomic_load(&ch->stop))
			pthread_cond_wait(&ch->vacant, &ch->lock);
		role = ch->taken ? ASSISTS : LEADS;
		if (role == ASSISTS)
			atomic_fetch_add(&ch->assistants, 1);
		ch->taken = true;
		ch->crowded = false;
		pthread_mutex_unlock(&ch->lock);
	}
	return !atomic_load(&ch->stop);
}

enum channel_end channel_serve(struct channel *ch, unsigned thread)
{
	struct journal_slot *slot = &ch->shared->journal[thread];

	role = STANDS_BY;
	while (take_place(ch)) {
		ssize_t n = read(ch->fd, slot->request, sizeof(slot->request));

		if (n > 0) {
			beat(ch, thread);
			process(ch, slot->request, (size_t)n, false);
			handshake_clear(slot->request);
			beat(ch, thread);
		} else if (n == 0 || errno == ENODEV || errno == ECONNABORTED)
			break;
		else if (errno != EINTR && errno != ENOENT && errno != EAGAIN)
			g_error("cannot read from /dev/fuse: %s", g_strerror(errno));
	}
	channel_step_aside(ch);
	return atomic_load(&ch->stop) ? CHANNEL_STOPPED : CHANNEL_UNMOUNTED;
}
