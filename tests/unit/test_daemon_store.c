/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/store.h"

#include "fixture.h"
#include "util/unix.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include "util/fdpass.h"

/* A manager's socket in a folder of its own, named in NOTIFY_SOCKET. */
struct manager {
	struct lab lab;
	int sock;
};

static void manager_make(struct manager *m)
{
	g_autofree char *path = NULL;
	struct sockaddr_un addr;
	int len;

	lab_make(&m->lab);
	path = g_build_filename(m->lab.dir, "notify", NULL);
	len = unix_address(path, &addr);
	m->sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(len > 0);
	assert_int_equal(bind(m->sock, (struct sockaddr *)&addr, (socklen_t)len), 0);
	setenv("NOTIFY_SOCKET", path, 1);
}

static void manager_end(struct manager *m)
{
	unsetenv("NOTIFY_SOCKET");
	close(m->sock);
	lab_end(&m->lab);
}

/* The next datagram is @text, with a descriptor (returned) or without (-1). */
static int manager_hears(const struct manager *m, const char *text)
{
	char buf[256];
	int fds[2];
	size_t n = 2;

	assert_true(fdpass_recv(m->sock, buf, sizeof(buf), fds, &n, MSG_DONTWAIT) > 0);
	assert_string_equal(buf, text);
	assert_true(n <= 1);
	return n ? fds[0] : -1;
}

static void manager_hears_no_more(const struct manager *m)
{
	char buf[8];

	assert_int_equal(recv(m->sock, buf, sizeof(buf), MSG_DONTWAIT), -1);
}

static void manager_hears_removal(const struct manager *m)
{
	assert_int_equal(manager_hears(m, "FDSTOREREMOVE=1\nFDNAME=fuse"), -1);
	assert_int_equal(manager_hears(m, "FDSTOREREMOVE=1\nFDNAME=state"), -1);
}

/*
 * What was passed: 'd' a device that lives, 'x' one that is dead, 'f' a file, 'p' a pipe, '-' none.
 */
static int open_kind(char kind)
{
	int fds[2];

	switch (kind) {
	case 'd':
		return open("/dev/zero", O_RDWR);
	case 'x':
		return open("/dev/fuse", O_RDWR);
	case 'f':
		return memfd_create("state", 0);
	case 'p':
		assert_int_equal(pipe(fds), 0);
		close(fds[1]);
		return fds[0];
	default:
		return -1;
	}
}

struct taken {
	bool ok, env_left, cloexec, fuse_is_device, state_is_file;
	int fuse, state;
	unsigned low; /* descriptors from 3 to 19 that are open */
	unsigned high;
};

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

/* In a process whose descriptors from 3 on are those of @kinds. */
static void take_in_child(const char *kinds, const char *fds, const char *names, int out)
{
	struct taken t = { 0 };
	struct handover h;
	struct stat st;

	out = fcntl(out, F_DUPFD_CLOEXEC, 200);
	for (int fd = 3; fd < 200; fd++)
		close(fd);
	for (int i = 0; kinds[i]; i++) {
		int fd = open_kind(kinds[i]);

		if (fd >= 0 && fd != 3 + i) {
			dup2(fd, 3 + i);
			close(fd);
		}
	}
	g_setenv("LISTEN_FDS", fds, TRUE);
	g_setenv("LISTEN_FDNAMES", names, TRUE);
	t.ok = store_take(&h);
	t.fuse = h.fuse;
	t.state = h.state;
	t.env_left = getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES");
	if (h.fuse >= 0) {
		t.cloexec = (fcntl(h.fuse, F_GETFD) & fcntl(h.state, F_GETFD) & FD_CLOEXEC) != 0;
		t.fuse_is_device = fstat(h.fuse, &st) == 0 && S_ISCHR(st.st_mode);
		t.state_is_file = fstat(h.state, &st) == 0 && S_ISREG(st.st_mode);
	}
	for (int fd = 3; fd < 20; fd++)
		t.low += is_open(fd);
	for (int fd = 20; fd < 200; fd++)
		t.high += is_open(fd);
	if (write(out, &t, sizeof(t)) != sizeof(t))
		_exit(1);
	_exit(0);
}

static struct taken take_as(bool ours, const char *kinds, const char *fds, const char *names)
{
	struct taken t = { 0 };
	int pair[2], status;
	pid_t pid;

	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		g_autofree char *self = g_strdup_printf("%d", getpid() + !ours);

		g_setenv("LISTEN_PID", self, TRUE);
		take_in_child(kinds, fds, names, pair[1]);
	}
	close(pair[1]);
	assert_int_equal(read(pair[0], &t, sizeof(t)), sizeof(t));
	close(pair[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(t.env_left);
	return t;
}

static struct taken take(const char *kinds, const char *fds, const char *names)
{
	return take_as(true, kinds, fds, names);
}

static void test_pair_is_taken_whatever_its_order(void **state)
{
	static const struct {
		const char *kinds, *fds, *names;
	} rows[] = {
		{ "df", "2", "fuse:state" },
		{ "fd", "2", "state:fuse" },
		{ "pfpd", "4", "other:state::fuse" },
		{ "dfdf", "4", "fuse:state:fuse:state" },
		{ "df", "2", "fuse:state:fuse:state:and:more" },
		{ "dfpppppppppppppppppp", "20", "fuse:state" },
		/* fewer are there than claimed: what we moved must not be closed with them */
		{ "df", "100", "fuse:state" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct taken t = take(rows[i].kinds, rows[i].fds, rows[i].names);

		assert_true(t.ok);
		assert_true(t.fuse >= 20 && t.state >= 20 && t.cloexec);
		assert_true(t.fuse_is_device && t.state_is_file);
		assert_int_equal(t.low, 0);
		assert_int_equal(t.high, 2);
	}
}

static void test_dead_twin_is_passed_over(void **state)
{
	struct taken t;

	(void)state;
	if (access("/dev/fuse", R_OK | W_OK) < 0)
		skip();
	t = take("xdf", "3", "fuse:fuse:state");
	assert_true(t.ok && t.fuse_is_device);
	assert_int_equal(t.low, 0);
}

static void test_half_a_pair_is_closed_and_removed(void **state)
{
	static const struct {
		const char *kinds, *fds, *names;
	} rows[] = {
		{ "d", "1", "fuse" },
		{ "f", "1", "state" },
		{ "df", "1", "fuse:state" },
		{ "-f", "2", "fuse:state" },
		{ "d-", "2", "fuse:state" },
		/* no device, no file */
		{ "ff", "2", "fuse:state" },
		{ "pf", "2", "fuse:state" },
		{ "dp", "2", "fuse:state" },
		{ "dd", "2", "fuse:state" },
		{ "xf", "2", "fuse:state" }, /* aborted, or /dev/fuse is missing */
	};
	struct manager m;

	(void)state;
	manager_make(&m);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct taken t = take(rows[i].kinds, rows[i].fds, rows[i].names);

		assert_false(t.ok);
		assert_int_equal(t.fuse, -1);
		assert_int_equal(t.state, -1);
		/* what stands behind those passed is not ours to close */
		assert_int_equal(t.low, strlen(rows[i].kinds) == 2 && rows[i].fds[0] == '1');
		manager_hears_removal(&m);
		manager_hears_no_more(&m);
	}
	manager_end(&m);
}

static void test_nothing_is_ours(void **state)
{
	static const char *const garbage[] = { "",           "-1",   "x",
					       "2x",         " 2",   "99999999999999999999",
					       "2147483647", "4097", "0x2" };
	struct manager m;

	(void)state;
	manager_make(&m);
	/* of another process: its descriptors are none of our business */
	assert_int_equal(take_as(false, "df", "2", "fuse:state").low, 2);
	for (size_t i = 0; i < G_N_ELEMENTS(garbage); i++) {
		struct taken t = take("df", garbage[i], "fuse:state");

		assert_false(t.ok);
		assert_int_equal(t.low, 2);
	}
	assert_false(take("", "0", "").ok);
	assert_int_equal(take("pp", "2", "a:b").low, 0);
	assert_int_equal(take("pp", "2", "").low, 0);
	manager_hears_no_more(&m);
	manager_end(&m);
}

static void test_put_removes_then_stores_both(void **state)
{
	struct manager m;
	struct stat file, got;
	int fuse = open("/dev/zero", O_RDWR | O_CLOEXEC), memory = memfd_create("state", 0), fd;

	(void)state;
	manager_make(&m);
	assert_int_equal(store_put(fuse, memory), 2);
	manager_hears_removal(&m);
	fd = manager_hears(&m, "FDSTORE=1\nFDNAME=state");
	assert_int_equal(fstat(memory, &file) | fstat(fd, &got), 0);
	assert_int_equal(got.st_ino, file.st_ino);
	close(fd);
	fd = manager_hears(&m, "FDSTORE=1\nFDPOLL=0\nFDNAME=fuse");
	assert_int_equal(fstat(fd, &got), 0);
	assert_true(S_ISCHR(got.st_mode));
	close(fd);
	manager_hears_no_more(&m);
	/* the caller's are as they were */
	assert_true(is_open(fuse) && is_open(memory));
	store_remove();
	manager_hears_removal(&m);
	manager_end(&m);
	/* nobody listens, or nobody ever did */
	assert_int_equal(store_put(fuse, memory), 0);
	setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
	assert_int_equal(store_put(fuse, memory), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(store_put(fuse, memory), 0);
	unsetenv("NOTIFY_SOCKET");
	close(fuse);
	close(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pair_is_taken_whatever_its_order),
		cmocka_unit_test(test_dead_twin_is_passed_over),
		cmocka_unit_test(test_half_a_pair_is_closed_and_removed),
		cmocka_unit_test(test_nothing_is_ours),
		cmocka_unit_test(test_put_removes_then_stores_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
