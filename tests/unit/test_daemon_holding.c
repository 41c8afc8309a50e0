/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/holding.h"

#include "fixture.h"
#include "util/unix.h"

#include <poll.h>
#include <sys/mman.h>

#include "util/fd.h"
#include "util/fdpass.h"

/* A holder in a thread, its socket in a scratch folder. /dev/zero stands for /dev/fuse. */
struct place {
	struct lab lab;
	char *path;
	struct holding holding;
	GThread *thread;
	int quitter;
};

static void place_make(struct place *p, unsigned seconds)
{
	*p = (struct place){ .quitter = -1 };
	lab_make(&p->lab);
	p->path = g_build_filename(p->lab.dir, "socket", NULL);
	p->holding = (struct holding){ .listener = unix_listen(p->path),
				       .signals = -1,
				       .pair = { .fuse = open("/dev/zero", O_RDWR | O_CLOEXEC),
						 .state = memfd_create("state", MFD_CLOEXEC) },
				       .seconds = seconds };
	assert_true(p->holding.listener >= 0);
}

static void *run(void *arg)
{
	struct place *p = arg;
	enum holding_end end = holding_run(&p->holding, &p->quitter);

	fd_close(&p->quitter);
	return GINT_TO_POINTER(end);
}

static void place_run(struct place *p)
{
	p->thread = g_thread_new("holder", run, p);
}

static enum holding_end place_end(struct place *p)
{
	enum holding_end end = GPOINTER_TO_INT(g_thread_join(p->thread));

	p->thread = NULL;
	return end;
}

static void place_clear(struct place *p)
{
	assert_null(p->thread);
	fd_close(&p->holding.listener);
	handover_clear(&p->holding.pair);
	lab_end(&p->lab);
	g_free(p->path);
}

/* A client that has its own mind. */
static int stranger(const struct place *p)
{
	struct sockaddr_un addr;
	int len = unix_address(p->path, &addr);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&addr, (socklen_t)len), 0);
	return fd;
}

/* Until the other end hangs up. */
static void hears_the_end(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64];
	ssize_t n;

	do {
		assert_int_equal(poll(&p, 1, 10000), 1);
		n = recv(fd, buf, sizeof(buf), 0);
	} while (n > 0);
	close(fd);
}

static void fetches(const struct place *p)
{
	struct handover h = HANDOVER_NONE;
	struct stat want, got;

	assert_int_equal(holding_fetch(p->path, &h), 0);
	assert_true(h.fuse >= HANDOVER_MIN_FD && h.state >= HANDOVER_MIN_FD);
	assert_int_equal(fcntl(h.fuse, F_GETFD) & fcntl(h.state, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fstat(p->holding.pair.state, &want) | fstat(h.state, &got), 0);
	assert_int_equal(got.st_ino, want.st_ino);
	assert_int_equal(fstat(h.fuse, &got), 0);
	assert_true(S_ISCHR(got.st_mode));
	handover_clear(&h);
}

static void test_pair_is_fetched_again_and_again(void **state)
{
	struct place p;
	struct stat st;

	(void)state;
	place_make(&p, 60);
	assert_int_equal(stat(p.path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	place_run(&p);
	for (int i = 0; i < 30; i++)
		fetches(&p);
	assert_int_equal(holding_quit(p.path), 0);
	assert_int_equal(place_end(&p), HOLDING_ASKED);
	place_clear(&p);
}

static void test_nobody_comes(void **state)
{
	struct place p;
	gint64 start = g_get_monotonic_time();

	(void)state;
	place_make(&p, 1);
	place_run(&p);
	/* who only fetches has not come to stay */
	fetches(&p);
	assert_int_equal(place_end(&p), HOLDING_ABANDONED);
	assert_true(g_get_monotonic_time() - start >= 900000);
	place_clear(&p);
}

static void test_instance_that_serves_is_waited_for(void **state)
{
	struct place p;
	gint64 start;
	int first, second;

	(void)state;
	place_make(&p, 1);
	place_run(&p);
	first = holding_attend(p.path);
	second = holding_attend(p.path);
	assert_true(first >= 0 && second >= 0);
	assert_int_equal(fcntl(first, F_GETFD), FD_CLOEXEC);
	g_usleep(1500000);
	close(first);
	g_usleep(1200000);
	fetches(&p);
	start = g_get_monotonic_time();
	close(second);
	assert_int_equal(place_end(&p), HOLDING_ABANDONED);
	assert_true(g_get_monotonic_time() - start >= 900000);
	place_clear(&p);
}

static void test_silent_clients_do_not_keep_others_out(void **state)
{
	struct place p;
	int silent[20], attending;

	(void)state;
	place_make(&p, 60);
	place_run(&p);
	attending = holding_attend(p.path);
	for (size_t i = 0; i < G_N_ELEMENTS(silent); i++)
		silent[i] = stranger(&p);
	fetches(&p);
	/* all are shown out, the one that serves is not */
	for (size_t i = 0; i < G_N_ELEMENTS(silent); i++)
		hears_the_end(silent[i]);
	assert_int_equal(poll(&(struct pollfd){ .fd = attending, .events = POLLIN }, 1, 0), 0);
	close(attending);
	assert_int_equal(holding_quit(p.path), 0);
	assert_int_equal(place_end(&p), HOLDING_ASKED);
	place_clear(&p);
}

static void test_hostile_clients(void **state)
{
	static const char *const words[] = { "", "f", "fetchfetch", "QUIT", "quit ", "pair", "ok" };
	g_autofree char *huge = g_strnfill(60000, 'q');
	int fds[FDPASS_MAX], fd;
	struct place p;

	(void)state;
	place_make(&p, 60);
	place_run(&p);
	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		fd = stranger(&p);
		assert_int_equal(fdpass_send(fd, NULL, 0, words[i], NULL, 0, 0), 0);
		hears_the_end(fd);
	}
	fd = stranger(&p);
	assert_int_equal(fdpass_send(fd, NULL, 0, huge, NULL, 0, 0), 0);
	hears_the_end(fd);
	/* descriptors that nobody asked for */
	for (size_t i = 0; i < FDPASS_MAX; i++)
		fds[i] = p.holding.pair.state;
	fd = stranger(&p);
	assert_int_equal(fdpass_send(fd, NULL, 0, "x", fds, FDPASS_MAX, 0), 0);
	hears_the_end(fd);
	/* asks on and on and never reads an answer */
	fd = stranger(&p);
	for (int i = 0; i < 5000; i++)
		if (fdpass_send(fd, NULL, 0, "fetch", NULL, 0, MSG_DONTWAIT) < 0)
			g_usleep(100);
	fetches(&p);
	close(fd);
	assert_int_equal(holding_quit(p.path), 0);
	assert_int_equal(place_end(&p), HOLDING_ASKED);
	place_clear(&p);
}

static void test_dead_connection_is_let_go(void **state)
{
	struct place p;

	(void)state;
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		skip();
	place_make(&p, 60);
	close(p.holding.pair.fuse);
	p.holding.pair.fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	place_run(&p);
	assert_int_equal(place_end(&p), HOLDING_GONE);
	place_clear(&p);
}

static void test_pair_of_no_use_is_refused(void **state)
{
	struct handover h = HANDOVER_NONE;
	struct place p;

	(void)state;
	place_make(&p, 60);
	close(p.holding.pair.state);
	p.holding.pair.state = open("/dev/zero", O_RDWR | O_CLOEXEC);
	place_run(&p);
	assert_int_equal(holding_fetch(p.path, &h), -ENOTCONN);
	assert_int_equal(h.fuse, -1);
	assert_int_equal(holding_quit(p.path), 0);
	assert_int_equal(place_end(&p), HOLDING_ASKED);
	place_clear(&p);
}

static void test_signal_asks_to_quit(void **state)
{
	struct place p;
	int fds[2];

	(void)state;
	place_make(&p, 60);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	p.holding.signals = fds[0];
	place_run(&p);
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(place_end(&p), HOLDING_ASKED);
	close(fds[0]);
	close(fds[1]);
	place_clear(&p);
}

static void test_no_holder(void **state)
{
	struct handover h = HANDOVER_NONE;
	struct place p;

	(void)state;
	place_make(&p, 60);
	/* it listens, but is stopped */
	assert_int_equal(holding_fetch(p.path, &h), -ETIMEDOUT);
	/* it was killed: its socket is left, and can be taken over */
	fd_close(&p.holding.listener);
	assert_int_equal(holding_fetch(p.path, &h), -ECONNREFUSED);
	assert_int_equal(holding_attend(p.path), -ECONNREFUSED);
	p.holding.listener = unix_listen(p.path);
	assert_true(p.holding.listener >= 0);
	assert_int_equal(unlink(p.path), 0);
	assert_int_equal(holding_fetch(p.path, &h), -ENOENT);
	assert_int_equal(holding_attend(p.path), -ENOENT);
	assert_int_equal(holding_quit(p.path), -ENOENT);
	assert_int_equal(h.fuse, -1);
	place_clear(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_is_fetched_again_and_again),
		cmocka_unit_test(test_nobody_comes),
		cmocka_unit_test(test_instance_that_serves_is_waited_for),
		cmocka_unit_test(test_silent_clients_do_not_keep_others_out),
		cmocka_unit_test(test_hostile_clients),
		cmocka_unit_test(test_dead_connection_is_let_go),
		cmocka_unit_test(test_pair_of_no_use_is_refused),
		cmocka_unit_test(test_signal_asks_to_quit),
		cmocka_unit_test(test_no_holder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
