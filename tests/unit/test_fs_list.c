/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forest.h"

/* The names of a directory, sorted, but "." and ".."; a few a call, as a small buffer has it. */
struct names_seen {
	GPtrArray *names;
	unsigned room;
	uint64_t next;
};

static bool see(const char *name, uint64_t id, mode_t type, uint64_t next, void *arg)
{
	struct names_seen *s = arg;

	(void)id;
	assert_true(type == 0 || S_ISDIR(type) || S_ISREG(type) || S_ISLNK(type));
	if (s->room == 0)
		return false;
	s->room--;
	s->next = next;
	if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
		g_ptr_array_add(s->names, g_strdup(name));
	return true;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char *listing(struct forest *f, const char *path, unsigned room)
{
	static const pid_t inits[] = { 7, 1000, 2147483647 };
	struct names_seen seen = { .names = g_ptr_array_new_with_free_func(g_free) };
	struct node dir;
	char *text;

	assert_int_equal(walk(f, path, &dir), 0);
	do {
		seen.room = room;
		assert_int_equal(tree_list(&f->tree, &dir, seen.next, inits, G_N_ELEMENTS(inits),
					   see, &seen),
				 0);
	} while (seen.room == 0);
	g_ptr_array_sort(seen.names, by_name);
	g_ptr_array_add(seen.names, NULL);
	text = g_strjoinv(" ", (char **)seen.names->pdata);
	g_ptr_array_unref(seen.names);
	return text;
}

static void test_listings(void **state)
{
	static const struct {
		const char *path, *want;
	} rows[] = {
		{ "", "containers proc sys" },
		{ "containers", "1000 2147483647 7" },
		{ "containers/1000", "proc sys" },
		{ "proc", "cpuinfo diskstats loadavg meminfo stat uptime" },
		{ "sys/devices/system", "cpu node" },
		{ "sys/devices/system/cpu", "cpu0 cpu1 cpufreq online possible" },
		/* the file that the host has not, once; the one that it has, once */
		{ "sys/devices/system/cpu/cpu0", "online topology" },
		{ "sys/devices/system/cpu/cpu1", "online subsystem topology" },
		{ "sys/devices/system/cpu/cpufreq/cpu1", "scaling" },
	};
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		for (unsigned room = 1; room <= 8; room++) {
			g_autofree char *got = listing(&f, rows[i].path, room);

			assert_string_equal(got, rows[i].want);
		}
	forest_end(&f);
}

static void test_file_cannot_be_listed(void **state)
{
	struct names_seen seen = { .names = g_ptr_array_new_with_free_func(g_free), .room = 9 };
	struct forest f;
	struct node n;

	(void)state;
	forest_make(&f);
	assert_int_equal(walk(&f, "proc/stat", &n), 0);
	assert_int_equal(tree_list(&f.tree, &n, 0, NULL, 0, see, &seen), -ENOTDIR);
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu1/topology", &n), 0);
	lab_remove(&f.lab, "sys/devices/system/cpu/cpu1"); /* unplugged */
	assert_int_equal(tree_list(&f.tree, &n, 0, NULL, 0, see, &seen), -ENOENT);
	g_ptr_array_unref(seen.names);
	forest_end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listings),
		cmocka_unit_test(test_file_cannot_be_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
