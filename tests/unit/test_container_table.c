/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/table.h"

#include <sys/resource.h>

#include "fixture.h"
#include "util/sys.h"

#define N_SLOTS 8u

struct village {
	struct lab lab;
	struct host *host;
	struct state_table *states;
	struct container_table *table;
	void *memory;
};

static void village_make(struct village *v)
{
	g_autofree char *link = NULL;

	*v = (struct village){ 0 };
	lab_make_v2(&v->lab);
	lab_mkdir(&v->lab, "sys");
	lab_mkdir(&v->lab, "proc/thread-self/ns");
	link = g_build_filename(v->lab.dir, "proc/thread-self/ns/pid", NULL);
	assert_int_equal(symlink("pid:[1]", link), 0);
	assert_int_equal(host_open(v->lab.dir, &v->host), 0);
	v->memory = g_malloc0(state_table_size(N_SLOTS, 1));
	v->states = state_table_new(v->memory, N_SLOTS, 1);
	v->table = container_table_new(v->host, v->lab.layout, v->states);
	assert_non_null(v->table);
}

static void village_end(struct village *v)
{
	container_table_free(v->table);
	state_table_free(v->states);
	g_free(v->memory);
	host_free(v->host);
	lab_end(&v->lab);
}

/* One that somebody in the cgroup namespace @ns_ino read. */
static void settle(struct village *v, uint64_t ns_ino, const char *roots, int init_pidfd)
{
	struct identity id = { .kind = IDENTITY_CGROUPNS,
			       .ns_ino = ns_ino,
			       .ns_fd = -1,
			       .roots = g_strdup(roots),
			       .init = init_pidfd < 0 ? 0 : getpid(),
			       .init_pidfd = init_pidfd };
	struct container *ct;

	assert_int_equal(table_publish(v->table, &id, &ct), 0);
	state_load(ct->state)->total = (uint32_t)ns_ino;
	container_put(v->table, ct);
}

static size_t count(struct village *v)
{
	g_autofree struct container **list = NULL;
	size_t n = container_table_list(v->table, &list);

	for (size_t i = 0; i < n; i++)
		container_put(v->table, list[i]);
	return n;
}

static void test_who_has_no_init_is_forgotten(void **state)
{
	struct village v;

	(void)state;
	village_make(&v);
	lab_mkdir(&v.lab, "cg/a");
	settle(&v, 7, "0::/a\n", -1);
	settle(&v, 8, "0::/a\n", -1);
	settle(&v, 9, "0::/a\n", sys_pidfd_open(getpid()));
	g_usleep(20000);
	container_table_sweep(v.table, 10000);
	assert_int_equal(count(&v), 3);
	container_table_sweep(v.table, 0);
	assert_int_equal(count(&v), 1);
	village_end(&v);
}

static void test_who_comes_back_has_the_same_counters(void **state)
{
	const struct container_key key = { .kind = IDENTITY_CGROUPNS, .ns_ino = 7, .text = "" };
	struct identity id = { .kind = IDENTITY_CGROUPNS,
			       .ns_ino = 7,
			       .ns_fd = -1,
			       .roots = g_strdup("0::/a\n"),
			       .init_pidfd = -1 };
	struct container *ct;
	struct village v;

	(void)state;
	village_make(&v);
	lab_mkdir(&v.lab, "cg/a");
	settle(&v, 7, "0::/a\n", -1);
	g_usleep(20000);
	container_table_sweep(v.table, 0);
	assert_null(table_find(v.table, &key, NULL));
	assert_int_equal(table_publish(v.table, &id, &ct), 0);
	assert_int_equal(state_load(ct->state)->total, 7);
	container_put(v.table, ct);
	village_end(&v);
}

static void test_whose_cgroup_is_gone_is_forgotten_at_once(void **state)
{
	struct village v;

	(void)state;
	village_make(&v);
	lab_mkdir(&v.lab, "cg/a");
	lab_mkdir(&v.lab, "cg/b");
	settle(&v, 7, "0::/a\n", -1);
	settle(&v, 8, "0::/b\n", -1);
	lab_remove(&v.lab, "cg/b");
	container_table_sweep(v.table, 10000);
	assert_int_equal(count(&v), 1);
	village_end(&v);
}

/* Sixty levels with five files each are more than all containers are to have open. */
static void test_who_has_too_much_open_is_cooled_down(void **state)
{
	static const enum cg_file files[] = { CG_FILE_MEMORY_MAX, CG_FILE_MEMORY_HIGH,
					      CG_FILE_MEMORY_CURRENT, CG_FILE_SWAP_MAX,
					      CG_FILE_SWAP_CURRENT };
	static const char *const names[] = { "memory.max", "memory.high", "memory.current",
					     "memory.swap.max", "memory.swap.current" };
	const struct container_key greedy = { .kind = IDENTITY_CGROUPNS, .ns_ino = 7, .text = "" };
	GString *path = g_string_new("");
	g_autofree char *roots = NULL;
	struct rlimit limit, saved;
	struct container *ct;
	struct village v;
	char buf[64];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &saved), 0);
	limit = (struct rlimit){ .rlim_cur = 512, .rlim_max = saved.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	village_make(&v);
	for (unsigned level = 0; level < 60; level++) {
		g_string_append(path, "/d");
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
			g_autofree char *file = g_strdup_printf("cg%s/%s", path->str, names[i]);

			lab_write(&v.lab, file, "1\n");
		}
	}
	roots = g_strdup_printf("0::%s\n", path->str);
	settle(&v, 7, roots, -1);
	ct = table_find(v.table, &greedy, NULL);
	assert_non_null(ct);
	for (struct cg_node *n = ct->held.tasks; n; n = cg_node_parent(n))
		for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
			assert_int_equal(cg_node_read(n, files[i], buf, sizeof(buf)), 2);
	container_put(v.table, ct);
	lab_mkdir(&v.lab, "cg/a");
	settle(&v, 8, "0::/a\n", -1);
	settle(&v, 9, "0::/a\n", -1);
	assert_null(table_find(v.table, &greedy, NULL));
	assert_int_equal(count(&v), 3);
	village_end(&v);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &saved), 0);
	g_string_free(path, TRUE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_no_init_is_forgotten),
		cmocka_unit_test(test_who_comes_back_has_the_same_counters),
		cmocka_unit_test(test_whose_cgroup_is_gone_is_forgotten_at_once),
		cmocka_unit_test(test_who_has_too_much_open_is_cooled_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
