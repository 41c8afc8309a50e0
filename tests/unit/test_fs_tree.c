/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/tree.h"

#include "fixture.h"

#include <sys/mman.h>

#include "host/host.h"

struct forest {
	struct lab lab;
	struct host *host;
	void *memory;
	struct tree tree;
};

/* A host with two cpus, of which cpu0 has no file "online", as on most machines. */
static void forest_make(struct forest *f)
{
	static const char *const files[] = {
		"proc/meminfo",
		"proc/cpuinfo",
		"proc/stat",
		"proc/uptime",
		"proc/loadavg",
		"proc/diskstats",
		"proc/1000/stat",
		"sys/devices/system/cpu/online",
		"sys/devices/system/cpu/possible",
		"sys/devices/system/cpu/cpu0/topology/core_id",
		"sys/devices/system/cpu/cpu1/online",
		"sys/devices/system/cpu/cpu1/topology/core_id",
		"sys/devices/system/cpu/cpufreq/cpu1/scaling",
		"sys/devices/system/secret",
	};

	*f = (struct forest){ 0 };
	lab_make(&f->lab);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		lab_write(&f->lab, files[i], "1\n");
	{
		g_autofree char *link =
			g_build_filename(f->lab.dir, "sys/devices/system/cpu/cpu1/subsystem", NULL);

		assert_int_equal(symlink("../../../../bus/cpu", link), 0);
	}
	assert_int_equal(host_open(f->lab.dir, &f->host), 0);
	f->memory = mmap(NULL, names_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_true(f->memory != MAP_FAILED);
	f->tree = (struct tree){ .host = f->host, .names = names_new(f->memory) };
}

static void forest_end(struct forest *f)
{
	names_free(f->tree.names);
	munmap(f->memory, names_size());
	host_free(f->host);
	lab_end(&f->lab);
}

/* Goes down @path from the root, each step by the node's id alone, as the kernel asks. */
static int walk(struct forest *f, const char *path, struct node *ret)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	uint64_t id = TREE_ROOT_ID;

	for (char **p = parts; *path && *p; p++) {
		struct node dir, child;
		int r = tree_node(&f->tree, id, &dir);

		if (r == 0)
			r = tree_lookup(&f->tree, &dir, *p, &child);
		if (r < 0)
			return r;
		id = child.id;
	}
	return tree_node(&f->tree, id, ret);
}

static void test_each_path_has_its_kind(void **state)
{
	static const struct {
		const char *path;
		int kind; /* or a negative errno */
	} rows[] = {
		{ "", NODE_DIR },
		{ "proc", NODE_DIR },
		{ "proc/meminfo", NODE_VFILE },
		{ "proc/loadavg", NODE_VFILE },
		{ "sys/devices/system", NODE_DIR },
		{ "sys/devices/system/cpu", NODE_HOST_DIR },
		{ "sys/devices/system/cpu/online", NODE_ONLINE },
		{ "sys/devices/system/cpu/possible", NODE_HOST_FILE },
		{ "sys/devices/system/cpu/cpu0", NODE_HOST_DIR },
		{ "sys/devices/system/cpu/cpu0/online", NODE_CPU_ONLINE },
		{ "sys/devices/system/cpu/cpu1/online", NODE_CPU_ONLINE },
		{ "sys/devices/system/cpu/cpu1/topology/core_id", NODE_HOST_FILE },
		{ "sys/devices/system/cpu/cpu1/subsystem", NODE_HOST_LINK },
		{ "containers", NODE_CONTAINERS },
		{ "containers/1000", NODE_DIR },
		{ "containers/1000/proc/meminfo", NODE_VFILE },
		{ "containers/1000/sys/devices/system/cpu/cpu0/online", NODE_CPU_ONLINE },
		/* not there */
		{ "proc/swaps", -ENOENT }, /* not on this host */
		{ "proc/version", -ENOENT },
		{ "sys/devices/system/secret", -ENOENT },
		{ "sys/devices/system/cpu/cpu2", -ENOENT },
		{ "sys/devices/system/cpu/cpufreq/online", -ENOENT },
		{ "sys/devices/system/cpu/cpufreq/cpu1/online", -ENOENT },
		{ "containers/1000/containers", -ENOENT },
		{ "proc/meminfo/x", -ENOTDIR },
		{ "sys/devices/system/cpu/possible/x", -ENOTDIR },
		{ "sys/devices/system/cpu/online/x", -ENOTDIR },
		{ "sys/devices/system/cpu/cpu1/subsystem/x", -ENOTDIR },
	};
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct node node;
		int r = walk(&f, rows[i].path, &node);

		if (r < 0)
			assert_int_equal(r, rows[i].kind);
		else
			assert_int_equal(node.kind, rows[i].kind);
	}
	forest_end(&f);
}

static void test_ids_are_steady_and_lead_back(void **state)
{
	static const char *const paths[] = { "proc/stat", "sys/devices/system/cpu/cpu1/online",
					     "sys/devices/system/cpu/cpu0/topology/core_id",
					     "containers/1000/proc/stat" };
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
		struct node before, after;

		assert_int_equal(walk(&f, paths[i], &before), 0);
		names_free(f.tree.names); /* another process takes over */
		f.tree.names = names_new(f.memory);
		assert_int_equal(tree_node(&f.tree, before.id, &after), 0);
		assert_int_equal(after.id, before.id);
		assert_int_equal(after.kind, before.kind);
		assert_int_equal(after.pid, before.pid);
		assert_int_equal(after.cpu, before.cpu);
		assert_string_equal(after.path, before.path);
		assert_int_equal(walk(&f, paths[i], &after), 0);
		assert_int_equal(after.id, before.id);
	}
	forest_end(&f);
}

static void test_what_a_node_stands_for(void **state)
{
	struct forest f;
	struct node n;

	(void)state;
	forest_make(&f);
	assert_int_equal(walk(&f, "containers/1000/proc/stat", &n), 0);
	assert_int_equal(n.pid, 1000);
	assert_int_equal(n.file->host, HOST_STAT);
	assert_string_equal(n.path, "stat");
	assert_false(n.in_sys);
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu1/online", &n), 0);
	assert_int_equal(n.pid, 0);
	assert_int_equal(n.cpu, 1);
	assert_string_equal(n.path, "devices/system/cpu/cpu1/online");
	assert_true(n.in_sys);
	forest_end(&f);
}

static void test_hostile_names_lead_nowhere(void **state)
{
	static const char *const dirs[] = { "",
					    "proc",
					    "sys/devices",
					    "sys/devices/system/cpu",
					    "sys/devices/system/cpu/cpu1",
					    "containers/1000",
					    "containers" };
	g_autofree char *longest = g_strnfill(255, 'x');
	g_autofree char *too_long = g_strnfill(4000, 'x');
	const char *const names[] = {
		".",        "..",   "",      "../secret", "cpu1/online", "cpu1/../../secret",
		"\xff",     "a\nb", "cpu01", "cpu-1",     "cpu",         "cpu99999999999999",
		"meminfo ", "/",    longest, too_long,    "/etc/passwd", "devices/system",
	};
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t d = 0; d < G_N_ELEMENTS(dirs); d++) {
		struct node dir, child;

		assert_int_equal(walk(&f, dirs[d], &dir), 0);
		for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
			assert_true(tree_lookup(&f.tree, &dir, names[i], &child) < 0);
	}
	forest_end(&f);
}

static void test_pids_in_containers(void **state)
{
	static const char *const wrong[] = { "1",
					     "01000",
					     "1000 ",
					     "+1000",
					     "-1",
					     "0",
					     "1000\n",
					     "4294968296",
					     "self",
					     "",
					     "99999999999999999999",
					     "2147483648" };
	struct node dir, child;
	struct forest f;

	(void)state;
	forest_make(&f);
	assert_int_equal(walk(&f, "containers", &dir), 0);
	assert_int_equal(tree_lookup(&f.tree, &dir, "1000", &child), 0);
	assert_int_equal(child.pid, 1000);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++)
		assert_int_equal(tree_lookup(&f.tree, &dir, wrong[i], &child), -ENOENT);
	forest_end(&f);
}

static void test_ids_that_were_never_given(void **state)
{
	const uint64_t wrong[] = { 0,
				   n_vfiles + 1,
				   65535,
				   65536,
				   65537,
				   UINT32_MAX,
				   UINT64_C(1000) << 32,
				   UINT64_C(1) << 63 | 1,
				   UINT64_MAX };
	struct forest f;

	(void)state;
	forest_make(&f);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		struct node n;

		assert_true(tree_node(&f.tree, wrong[i], &n) < 0);
	}
	forest_end(&f);
}

static void test_modes_are_the_hosts_and_sizes_none(void **state)
{
	struct forest f;
	struct node n;
	struct stat st;

	(void)state;
	forest_make(&f);
	{
		g_autofree char *path = g_build_filename(f.lab.dir, "proc/meminfo", NULL);

		assert_int_equal(chmod(path, 0400), 0);
	}
	assert_int_equal(walk(&f, "proc/meminfo", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(st.st_ino, n.id);
	assert_int_equal(walk(&f, "containers", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0500); /* root's alone */
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu0/online", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0444);
	assert_int_equal(walk(&f, "sys/devices/system/cpu/cpu1/subsystem", &n), 0);
	assert_int_equal(tree_stat(&f.tree, &n, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	forest_end(&f);
}

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
		{ "sys/devices/system", "cpu" },
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
		cmocka_unit_test(test_each_path_has_its_kind),
		cmocka_unit_test(test_ids_are_steady_and_lead_back),
		cmocka_unit_test(test_what_a_node_stands_for),
		cmocka_unit_test(test_hostile_names_lead_nowhere),
		cmocka_unit_test(test_pids_in_containers),
		cmocka_unit_test(test_ids_that_were_never_given),
		cmocka_unit_test(test_modes_are_the_hosts_and_sizes_none),
		cmocka_unit_test(test_listings),
		cmocka_unit_test(test_file_cannot_be_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
