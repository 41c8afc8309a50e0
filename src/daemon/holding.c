/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/holding.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/fdpass.h"
#include "util/sys.h"
#include "util/unix.h"

#define FETCH   "fetch"
#define PAIR    "pair"
#define SERVING "serving"
#define OK      "ok"
#define QUIT    "quit"

/* A new instance beside the former one, and a few that ask. */
#define MAX_CLIENTS 8

/* Who says nothing for so long has no business here. */
#define SILENCE_MS 2000u

/*
 * How often the connection is looked at while nobody serves. Not by polling /dev/fuse: that would
 * wake us for each request.
 */
#define LOOK_MS 1000u

/*
 * One that lives answers in a moment; one that is stopped keeps an instance waiting for this,
 * twice.
 */
#define ANSWER_MS 2000

struct client {
	int fd; /* -1: free */
	bool serving;
	uint64_t since_ms;
};

struct loop {
	const struct holding *holding;
	struct client clients[MAX_CLIENTS];
	uint64_t left_ms; /* when the last instance ended */
	int quitter;
};

/* Our own user, which is root. */
static bool is_trusted(int sock)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	return getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 && cred.uid == geteuid();
}

static bool is_served(const struct loop *l)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (l->clients[i].fd >= 0 && l->clients[i].serving)
			return true;
	return false;
}

static void drop(struct loop *l, struct client *c)
{
	bool served = c->serving;

	fd_close(&c->fd);
	*c = (struct client){ .fd = -1 };
	if (served && !is_served(l))
		l->left_ms = sys_coarse_ms();
}

/* A free place, or that of whoever has been here longest without serving. NULL: all serve. */
static struct client *place_for_one(struct loop *l)
{
	struct client *oldest = NULL;

	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->fd < 0)
			return c;
		if (!c->serving && (!oldest || c->since_ms < oldest->since_ms))
			oldest = c;
	}
	if (oldest)
		drop(l, oldest);
	return oldest;
}

static void welcome(struct loop *l)
{
	/* cppcheck-suppress nullPointer ; who it is says SO_PEERCRED */
	AUTO_FD int fd = accept4(l->holding->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c;

	if (fd < 0 || !is_trusted(fd))
		return;
	c = place_for_one(l);
	if (c)
		*c = (struct client){ .fd = fd_steal(&fd), .since_ms = sys_coarse_ms() };
}

/* Returns whether the client may stay. */
static bool obey(struct loop *l, struct client *c, const char *word)
{
	const struct handover *pair = &l->holding->pair;
	const int fds[] = { pair->fuse, pair->state };

	if (strcmp(word, FETCH) == 0)
		return fdpass_send(c->fd, NULL, 0, PAIR, fds, 2, MSG_DONTWAIT) == 0;
	if (strcmp(word, SERVING) == 0) {
		c->serving = true;
		return fdpass_send(c->fd, NULL, 0, OK, NULL, 0, MSG_DONTWAIT) == 0;
	}
	if (strcmp(word, QUIT) == 0 && l->quitter < 0)
		l->quitter = fd_steal(&c->fd);
	return false;
}

static void attend_to(struct loop *l, struct client *c)
{
	char word[16];
	size_t no_fds = 0;
	ssize_t n = fdpass_recv(c->fd, word, sizeof(word), NULL, &no_fds, MSG_DONTWAIT);

	if (n == -EAGAIN)
		return;
	if (n <= 0 || !obey(l, c, word))
		drop(l, c);
}

static void drop_silent(struct loop *l, uint64_t now)
{
	for (size_t i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = &l->clients[i];

		if (c->fd >= 0 && !c->serving && now - c->since_ms >= SILENCE_MS)
			drop(l, c);
	}
}

/* Served and alone there is nothing to look at but the sockets. */
static int timeout_ms(const struct loop *l, uint64_t now)
{
	uint64_t end = l->left_ms + l->holding->seconds * UINT64_C(1000);

	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (l->clients[i].fd >= 0 && !l->clients[i].serving)
			return LOOK_MS;
	if (is_served(l))
		return -1;
	return now >= end ? 0 : (int)MIN(end - now + 1, LOOK_MS);
}

/* One round; whether a signal came. */
static bool wait_and_attend(struct loop *l)
{
	struct pollfd p[MAX_CLIENTS + 2];

	for (size_t i = 0; i < MAX_CLIENTS; i++)
		p[i] = (struct pollfd){ .fd = l->clients[i].fd, .events = POLLIN };
	p[MAX_CLIENTS] = (struct pollfd){ .fd = l->holding->listener, .events = POLLIN };
	p[MAX_CLIENTS + 1] = (struct pollfd){ .fd = l->holding->signals, .events = POLLIN };
	if (poll(p, G_N_ELEMENTS(p), timeout_ms(l, sys_coarse_ms())) < 0)
		return false;
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		if (p[i].revents && l->clients[i].fd >= 0)
			attend_to(l, &l->clients[i]);
	if (p[MAX_CLIENTS].revents)
		welcome(l);
	return p[MAX_CLIENTS + 1].revents != 0;
}

static enum holding_end run(struct loop *l)
{
	const struct holding *h = l->holding;

	for (;;) {
		bool asked = wait_and_attend(l);
		uint64_t now = sys_coarse_ms();

		if (asked || l->quitter >= 0)
			return HOLDING_ASKED;
		drop_silent(l, now);
		if (is_served(l))
			continue;
		if (!handover_is_alive(h->pair.fuse))
			return HOLDING_GONE;
		if (now - l->left_ms >= h->seconds * UINT64_C(1000))
			return HOLDING_ABANDONED;
	}
}

enum holding_end holding_run(const struct holding *h, int *ret_quitter)
{
	struct loop l = { .holding = h, .left_ms = sys_coarse_ms(), .quitter = -1 };
	enum holding_end end;

	for (size_t i = 0; i < MAX_CLIENTS; i++)
		l.clients[i].fd = -1;
	end = run(&l);
	for (size_t i = 0; i < MAX_CLIENTS; i++)
		fd_close(&l.clients[i].fd);
	*ret_quitter = l.quitter;
	return end;
}

/* A queue that is full says EAGAIN: of a holder that is busy, or stopped. */
static int connect_to(int sock, const struct sockaddr_un *addr, int len)
{
	uint64_t start = sys_coarse_ms();

	while (connect(sock, (const struct sockaddr *)addr, (socklen_t)len) < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sys_coarse_ms() - start >= ANSWER_MS)
			return -ETIMEDOUT;
		g_usleep(1000);
	}
	return 0;
}

/* Connect and say @word. A descriptor or -errno. */
static int call(const char *path, const char *word)
{
	struct sockaddr_un addr;
	int len = unix_address(path, &addr), r;
	AUTO_FD int fd = -1;

	if (len < 0)
		return len;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	r = connect_to(fd, &addr, len);
	if (r < 0)
		return r;
	if (!is_trusted(fd))
		return -EPERM;
	r = fdpass_send(fd, NULL, 0, word, NULL, 0, MSG_DONTWAIT);
	return r < 0 ? r : fd_steal(&fd);
}

/* The answer must be @word. As fdpass_recv(), 0: it ended. */
static ssize_t answer(int sock, int timeout, const char *word, int *fds, size_t *n)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	char text[16];
	ssize_t r;

	if (poll(&p, 1, timeout) != 1)
		return -ETIMEDOUT;
	r = fdpass_recv(sock, text, sizeof(text), fds, n, MSG_DONTWAIT);
	if (r > 0 && strcmp(text, word) != 0) {
		while (fds && *n > 0)
			close(fds[--*n]);
		return -EPROTO;
	}
	return r;
}

int holding_fetch(const char *path, struct handover *ret)
{
	AUTO_HANDOVER struct handover h = HANDOVER_NONE;
	AUTO_FD int sock = call(path, FETCH);
	int fds[2] = { -1, -1 }, r;
	size_t n = G_N_ELEMENTS(fds);
	ssize_t len;

	if (sock < 0)
		return sock;
	len = answer(sock, ANSWER_MS, PAIR, fds, &n);
	h = (struct handover){ .fuse = n > 0 ? fds[0] : -1, .state = n > 1 ? fds[1] : -1 };
	if (len < 0)
		return (int)len;
	if (!handover_is_good(&h))
		return -ENOTCONN;
	r = handover_move(&h, HANDOVER_MIN_FD);
	if (r == 0)
		*ret = handover_steal(&h);
	return r;
}

int holding_attend(const char *path)
{
	AUTO_FD int sock = call(path, SERVING);
	size_t n = 0;
	ssize_t len;

	if (sock < 0)
		return sock;
	len = answer(sock, ANSWER_MS, OK, NULL, &n);
	if (len <= 0)
		return len < 0 ? (int)len : -ECONNRESET;
	return fd_steal(&sock);
}

int holding_quit(const char *path)
{
	AUTO_FD int sock = call(path, QUIT);
	size_t n = 0;
	ssize_t len;

	if (sock < 0)
		return sock;
	len = answer(sock, ANSWER_MS, "", NULL, &n);
	return len == -ETIMEDOUT || len == -EPROTO ? (int)len : 0;
}
