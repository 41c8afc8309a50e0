/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/cgroups.h"

#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "host/host.h"
#include "real.h"

#define MIB (UINT64_C(1) << 20)

static struct host *host;

static struct cgroups *make(const struct cg_limits *limits, const GArray *devices)
{
	g_autoptr(GError) error = NULL;
	struct cgroups *c = NULL;

	assert_done(cgroups_make(host, real_name(), limits, devices, &c, &error), error);
	return c;
}

static void end(struct cgroups *c)
{
	g_autoptr(GError) error = NULL;
	struct cgroups *again = NULL;

	assert_done(cgroups_kill(c, &error), error);
	assert_done(cgroups_remove(c, &error), error);
	cgroups_free(c);
	assert_false(cgroups_open(host, real_name(), &again, &error));
	assert_true(g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT));
}

/* What @fn exits with in @c. */
static int run_in(struct cgroups *c, int (*fn)(void *arg), void *arg)
{
	g_autoptr(GError) error = NULL;
	struct real_child child = real_fork(0, fn, arg);

	assert_done(cgroups_enter(c, child.pid, &error), error);
	real_go(&child);
	return real_wait(&child);
}

static int use_memory(void *arg)
{
	size_t size = *(const size_t *)arg;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 1;
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	return 0;
}

static void test_memory_limit_kills_who_is_above(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	size_t below = 8 * MIB, above = 64 * MIB;
	struct cgroups *c;
	int status;

	(void)state;
	l.memory = l.memory_swap = 32 * MIB;
	c = make(&l, NULL);
	status = run_in(c, use_memory, &below);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	status = run_in(c, use_memory, &above);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	end(c);
}

/* How many children there can be. */
static int count_forks(void *arg)
{
	int n = 0;

	for (; n < *(const int *)arg; n++) {
		pid_t pid = fork();

		if (pid == 0) {
			pause();
			_exit(0);
		}
		if (pid < 0)
			break;
	}
	return n;
}

static void test_pids_limit_stops_forks_and_kill_gets_all_of_them(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	g_autoptr(GArray) pids = NULL;
	struct cgroups *c;
	int status, tries = 50;

	(void)state;
	l.pids = 10;
	c = make(&l, NULL);
	status = run_in(c, count_forks, &tries);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 9);
	pids = cgroups_pids(c);
	assert_int_equal(pids->len, 9);
	end(c);
}

static int open_node(void *arg)
{
	const dev_t *dev = arg;
	char path[] = "/tmp/lxcfs-clone-node-XXXXXX";
	int fd = mkstemp(path), r;

	close(fd);
	unlink(path);
	if (fd < 0 || mknod(path, S_IFCHR | 0600, *dev) < 0)
		return 1;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	r = fd < 0 && errno == EPERM ? 2 : 0;
	unlink(path);
	return r;
}

static void test_devices_that_are_not_listed_cannot_be_opened(void **state)
{
	struct spec_device asked = {
		.mode = S_IFCHR, .major = 10, .minor = 229, .access = SPEC_DEVICE_ALL
	};
	struct cg_limits l = CG_LIMITS_INIT;
	g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(struct spec_device));
	dev_t null = makedev(1, 3), kmsg = makedev(1, 11), fuse = makedev(10, 229);
	struct cgroups *c = make(&l, NULL);

	(void)state;
	assert_int_equal(WEXITSTATUS(run_in(c, open_node, &null)), 0);
	assert_int_equal(WEXITSTATUS(run_in(c, open_node, &kmsg)), 2);
	assert_int_equal(WEXITSTATUS(run_in(c, open_node, &fuse)), 2);
	end(c);
	g_array_append_val(devices, asked);
	c = make(&l, devices);
	assert_int_equal(WEXITSTATUS(run_in(c, open_node, &fuse)), 0);
	assert_int_equal(WEXITSTATUS(run_in(c, open_node, &kmsg)), 2);
	end(c);
}

static int count_up(void *arg)
{
	volatile unsigned *n = arg;

	while (*n < G_MAXUINT) {
		++*n;
		g_usleep(500);
	}
	return 0;
}

static bool moves(volatile unsigned *n)
{
	unsigned before = *n;

	g_usleep(50000);
	return *n != before;
}

static void test_pause_and_resume_and_the_end_of_one_that_is_paused(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	g_autoptr(GError) error = NULL;
	unsigned *n = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cgroups *c = make(&l, NULL);
	struct real_child child = real_fork(0, count_up, n);
	int status;

	(void)state;
	assert_done(cgroups_enter(c, child.pid, &error), error);
	real_go(&child);
	g_usleep(20000);
	assert_true(moves(n));
	assert_false(cgroups_is_frozen(c));
	assert_done(cgroups_freeze(c, true, &error), error);
	assert_true(cgroups_is_frozen(c));
	assert_false(moves(n));
	assert_done(cgroups_freeze(c, false, &error), error);
	assert_true(moves(n));
	assert_done(cgroups_freeze(c, true, &error), error);
	end(c);
	status = real_wait(&child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	munmap(n, 4096);
}

static void test_limit_that_the_host_cannot_set_is_told_and_nothing_stays(void **state)
{
	struct cg_limits l = CG_LIMITS_INIT;
	g_autoptr(GError) error = NULL, no_error = NULL;
	struct cgroups *c = NULL;
	char cpus[] = "8191";

	(void)state;
	l.cpuset_cpus = cpus;
	if (cgroups_make(host, real_name(), &l, NULL, &c, &error)) {
		/* v2 takes what may come */
		end(c);
		skip();
	}
	assert_non_null(strstr(error->message, "cpuset.cpus"));
	assert_non_null(strstr(error->message, "controller cpuset"));
	assert_false(cgroups_open(host, real_name(), &c, &no_error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_limit_kills_who_is_above),
		cmocka_unit_test(test_pids_limit_stops_forks_and_kill_gets_all_of_them),
		cmocka_unit_test(test_devices_that_are_not_listed_cannot_be_opened),
		cmocka_unit_test(test_pause_and_resume_and_the_end_of_one_that_is_paused),
		cmocka_unit_test(test_limit_that_the_host_cannot_set_is_told_and_nothing_stays),
	};

	if (host_open("/", &host) < 0)
		return 1;
	return cmocka_run_group_tests(tests, real_need_root, NULL);
}
