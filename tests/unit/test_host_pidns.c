/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pidns.h"

#include "fixture.h"
#include "host/host.h"

/* A procfs of processes in two pid namespaces; what stands for the inner one is a file. */
struct town {
	struct lab lab;
	struct host *host;
	int ns_fd;
	struct stat ns;
};

static void town_make(struct town *t)
{
	g_autofree char *path = NULL;

	*t = (struct town){ 0 };
	lab_make(&t->lab);
	lab_write(&t->lab, "ns", "");
	lab_mkdir(&t->lab, "proc");
	lab_mkdir(&t->lab, "sys");
	path = g_build_filename(t->lab.dir, "ns", NULL);
	t->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(t->ns_fd >= 0);
	assert_int_equal(fstat(t->ns_fd, &t->ns), 0);
	assert_int_equal(host_open(t->lab.dir, &t->host), 0);
}

static void town_end(struct town *t)
{
	close(t->ns_fd);
	host_free(t->host);
	lab_end(&t->lab);
}

static void settle(struct town *t, unsigned pid, unsigned parent, bool within, unsigned inner)
{
	g_autofree char *stat_path = g_strdup_printf("proc/%u/stat", pid);
	g_autofree char *status_path = g_strdup_printf("proc/%u/status", pid);
	g_autofree char *ns_path = g_strdup_printf("%s/proc/%u/ns/pid", t->lab.dir, pid);
	g_autofree char *above = g_path_get_dirname(ns_path);
	g_autofree char *link =
		g_strdup_printf("pid:[%lu]", (unsigned long)(within ? t->ns.st_ino : 1));
	g_autofree char *stat = g_strdup_printf(
		"%u (x) S %u 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 7 0\n", pid, parent);
	g_autofree char *status = within ? g_strdup_printf("Name:\tx\nNSpid:\t%u\t%u\n", pid, inner)
					 : g_strdup_printf("Name:\tx\nNSpid:\t%u\n", pid);

	lab_write(&t->lab, stat_path, stat);
	lab_write(&t->lab, status_path, status);
	assert_int_equal(g_mkdir_with_parents(above, 0755), 0);
	assert_int_equal(symlink(link, ns_path), 0);
}

static void assert_init(struct town *t, pid_t member, int result, pid_t want)
{
	pid_t init = 0;

	assert_int_equal(host_pidns_init_by_search(t->host, t->ns_fd, member, &init), result);
	assert_int_equal(init, want);
}

static void test_init_above_or_elsewhere(void **state)
{
	struct town t;

	(void)state;
	town_make(&t);
	settle(&t, 1, 0, false, 0);
	settle(&t, 50, 1, false, 0);
	settle(&t, 100, 50, true, 1);
	settle(&t, 101, 100, true, 2);
	settle(&t, 102, 101, true, 3);
	settle(&t, 200, 50, true, 9); /* brought there from outside */
	assert_init(&t, 100, 0, 100);
	assert_init(&t, 102, 0, 100);
	assert_init(&t, 200, 0, 100);
	town_end(&t);
}

static void test_no_init(void **state)
{
	struct town t;

	(void)state;
	town_make(&t);
	settle(&t, 1, 0, false, 0);
	settle(&t, 101, 1, true, 2);
	settle(&t, 102, 102, true, 3); /* its own parent: no way up ends */
	assert_init(&t, 101, -ESRCH, 0);
	assert_init(&t, 102, -ESRCH, 0);
	assert_init(&t, 999, -ESRCH, 0);
	town_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_above_or_elsewhere),
		cmocka_unit_test(test_no_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
