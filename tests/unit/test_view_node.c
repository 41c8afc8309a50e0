/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "golden.h"
#include "view/meminfo.h"
#include "view/views.h"

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)

/* Linux 6.18 with one node; the numbers of HugePages_ changed. */
static const char host_text[] = "Node 0 MemTotal:        8087768 kB\n"
				"Node 0 MemFree:         6927864 kB\n"
				"Node 0 MemUsed:         1159904 kB\n"
				"Node 0 SwapCached:            0 kB\n"
				"Node 0 Active:           534736 kB\n"
				"Node 0 Inactive:         228564 kB\n"
				"Node 0 Active(anon):       1548 kB\n"
				"Node 0 Inactive(anon):    52300 kB\n"
				"Node 0 Active(file):     533188 kB\n"
				"Node 0 Inactive(file):   176264 kB\n"
				"Node 0 Unevictable:       12176 kB\n"
				"Node 0 Mlocked:           10872 kB\n"
				"Node 0 Dirty:               272 kB\n"
				"Node 0 Writeback:             0 kB\n"
				"Node 0 FilePages:        718516 kB\n"
				"Node 0 Mapped:            71600 kB\n"
				"Node 0 AnonPages:         56972 kB\n"
				"Node 0 Shmem:              9064 kB\n"
				"Node 0 KernelStack:        1728 kB\n"
				"Node 0 PageTables:         3024 kB\n"
				"Node 0 SecPageTables:         0 kB\n"
				"Node 0 NFS_Unstable:          0 kB\n"
				"Node 0 Bounce:                0 kB\n"
				"Node 0 WritebackTmp:          0 kB\n"
				"Node 0 KReclaimable:     211208 kB\n"
				"Node 0 Slab:             290236 kB\n"
				"Node 0 SReclaimable:     211208 kB\n"
				"Node 0 SUnreclaim:        79028 kB\n"
				"Node 0 AnonHugePages:         0 kB\n"
				"Node 0 ShmemHugePages:        0 kB\n"
				"Node 0 ShmemPmdMapped:        0 kB\n"
				"Node 0 FileHugePages:         0 kB\n"
				"Node 0 FilePmdMapped:         0 kB\n"
				"Node 0 HugePages_Total:     4\n"
				"Node 0 HugePages_Free:      3\n"
				"Node 0 HugePages_Surp:      0\n";

static struct meminfo_input input(uint64_t limit)
{
	g_autofree char *numa = fixture_read("v2-6.1/sys/fs/cgroup/level1/level2/memory.numa_stat");
	struct meminfo_input in = {
		.host = { .mem_total = 8087768 * KIB,
			  .mem_free = 6927864 * KIB,
			  .mlocked = 10872 * KIB },
	};

	assert_int_equal(cg_memory_parse_numa_stat(CG_V2, numa, 0, &in.cg), 0);
	in.cg.limit = limit;
	return in;
}

static char *render(const char *text, unsigned nid, const struct meminfo_input *in)
{
	struct text t = output_begin();

	node_meminfo_render(text, nid, in, &t);
	return output_end(&t);
}

/* The number of a line of node 0. */
static uint64_t number_of(const char *text, const char *key)
{
	g_autofree char *start = g_strdup_printf("Node 0 %s:", key);
	const char *p = strstr(text, start);

	assert_non_null(p);
	assert_true(p == text || p[-1] == '\n');
	return g_ascii_strtoull(p + strlen(start), NULL, 10);
}

static void test_recorded_node(void **state)
{
	struct meminfo_input in = input(160 * MIB);
	g_autofree char *text = render(host_text, 0, &in);

	(void)state;
	assert_golden("golden/node-meminfo-6.18", text);
}

/* Names, their order, colons and units are the host's: only digits and spaces may differ. */
static void test_form_is_the_hosts(void **state)
{
	struct meminfo_input in = input(160 * MIB);
	g_autofree char *text = render(host_text, 0, &in);
	g_auto(GStrv) ours = g_strsplit(text, "\n", -1);
	g_auto(GStrv) theirs = g_strsplit(host_text, "\n", -1);

	(void)state;
	assert_int_equal(g_strv_length(ours), g_strv_length(theirs));
	for (size_t i = 0; ours[i]; i++) {
		size_t len = strcspn(theirs[i], ":");

		assert_int_equal(strlen(ours[i]), strlen(theirs[i]));
		assert_memory_equal(ours[i], theirs[i], len);
		assert_int_equal(g_str_has_suffix(ours[i], " kB"),
				 g_str_has_suffix(theirs[i], " kB"));
	}
}

static void test_free_and_used_make_the_total(void **state)
{
	static const struct {
		uint64_t limit, usage, host_free;
		uint64_t total, free; /* kB */
	} rows[] = {
		{ 160 * MIB, 60 * MIB, 6927864 * KIB, 160 * 1024, 100 * 1024 },
		/* no more than the node has */
		{ 160 * MIB, 60 * MIB, 5 * MIB, 160 * 1024, 5 * 1024 },
		{ CG_UNLIMITED, 60 * MIB, 6927864 * KIB, 8087768, 6927864 },
		{ UINT64_C(1) << 50, 60 * MIB, 6927864 * KIB, 8087768, 6927864 },
		/* used above the limit */
		{ 160 * MIB, 161 * MIB, 6927864 * KIB, 160 * 1024, 0 },
		{ 160 * MIB, UINT64_MAX, 6927864 * KIB, 160 * 1024, 0 },
		{ 0, 60 * MIB, 6927864 * KIB, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct meminfo_input in = input(rows[i].limit);
		g_autofree char *text = NULL;

		in.cg.usage = rows[i].usage;
		in.host.mem_free = rows[i].host_free;
		text = render(host_text, 0, &in);
		assert_int_equal(number_of(text, "MemTotal"), rows[i].total);
		assert_int_equal(number_of(text, "MemFree"), rows[i].free);
		assert_int_equal(number_of(text, "MemUsed"), rows[i].total - rows[i].free);
	}
}

static void test_never_more_free_than_there_is(void **state)
{
	g_autoptr(GRand) rand = g_rand_new_with_seed(31);

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct meminfo_input in = {
			.host = { .mem_total = g_rand_int(rand), .mem_free = g_rand_int(rand) },
			.cg = { .limit = g_rand_int(rand) >> n % 8, .usage = g_rand_int(rand) },
		};
		g_autofree char *text = render("Node 0 MemTotal: 0 kB\nNode 0 MemFree: 0 kB\n"
					       "Node 0 MemUsed: 0 kB\n",
					       0, &in);
		uint64_t total = number_of(text, "MemTotal"), free = number_of(text, "MemFree");

		assert_in_range(free, 0, total);
		assert_in_range(number_of(text, "MemUsed"), 0, total);
	}
}

static void test_unknown_lines_are_kept(void **state)
{
	static const char text[] = "Node 0 NewInSomeKernel:   77 kB\n"
				   "Node 0 Mem:              78 kB\n"
				   "Node 0 MemTotalOf:       79 kB\n"
				   "Node 7 MemFree:          80 kB\n"
				   "no colon\n"
				   "\n"
				   "no newline: 81";
	struct meminfo_input in = input(160 * MIB);
	g_autofree char *ours = render(text, 0, &in);

	(void)state;
	assert_string_equal(ours, text);
}

static void test_number_of_the_node(void **state)
{
	struct meminfo_input in = input(160 * MIB);
	g_autofree char *text = render("Node 13 Bounce:                5 kB\n"
				       "Node 1 Bounce:                5 kB\n",
				       13, &in);

	(void)state;
	assert_string_equal(text, "Node 13 Bounce:                0 kB\n"
				  "Node 1 Bounce:                5 kB\n");
}

static void feed(const char *text, void *data)
{
	struct text t = output_begin();

	node_meminfo_render(text, 0, data, &t);
	assert_true(t.len <= t.size);
	g_free(t.buf);
}

static void test_hostile(void **state)
{
	struct meminfo_input in = input(160 * MIB);

	(void)state;
	feed_hostile(host_text, feed, &in);
	memset(&in, 0xff, sizeof(in));
	feed_exactly(host_text, strlen(host_text), feed, &in);
}

/* A container in /pod/box of a scratch host with this node. */
static void node_scene(struct scene *s, const char *numa_stat)
{
	*s = (struct scene){ .options = { .cpu_quota = true, .swap = true, .loadavg = true } };
	lab_make_v2(&s->lab);
	lab_mkdir(&s->lab, "proc");
	lab_write(&s->lab, "sys/devices/system/node/node0/meminfo", host_text);
	lab_write(&s->lab, "cg/pod/memory.max", "33554432\n");
	lab_write(&s->lab, "cg/pod/memory.current", "2097152\n");
	lab_write(&s->lab, "cg/pod/box/memory.max", "max\n");
	lab_write(&s->lab, "cg/pod/box/memory.current", "1048576\n");
	if (numa_stat)
		lab_write(&s->lab, "cg/pod/box/memory.numa_stat", numa_stat);
	assert_int_equal(host_open(s->lab.dir, &s->host), 0);
	assert_int_equal(held_open(s->lab.tree, s->lab.layout, "0::/pod/box\n", &s->ct.held), 0);
	s->ct.init = 1000;
	s->req = (struct request){
		.host = s->host, .ct = &s->ct, .pid = 1000, .options = &s->options, .number = 0
	};
}

static void test_limit_of_a_parent(void **state)
{
	struct text t = output_begin();
	g_autofree char *text = NULL;
	struct scene s;

	(void)state;
	node_scene(&s, "anon N0=1048576\nfile N0=0\n");
	assert_int_equal(node_meminfo_generate(&s.req, &t), 0);
	text = output_end(&t);
	assert_int_equal(number_of(text, "MemTotal"), 32 * 1024);
	assert_int_equal(number_of(text, "MemFree"), 31 * 1024);
	assert_int_equal(number_of(text, "MemUsed"), 1024);
	assert_int_equal(number_of(text, "AnonPages"), 1024);
	scene_end(&s);
}

static void test_kernel_without_numa_stat(void **state)
{
	struct text t = output_begin();
	struct scene s;

	(void)state;
	node_scene(&s, NULL);
	assert_int_equal(node_meminfo_generate(&s.req, &t), VIEW_E_PASSTHROUGH);
	assert_int_equal(t.len, 0);
	g_free(t.buf);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_node),
		cmocka_unit_test(test_form_is_the_hosts),
		cmocka_unit_test(test_free_and_used_make_the_total),
		cmocka_unit_test(test_never_more_free_than_there_is),
		cmocka_unit_test(test_unknown_lines_are_kept),
		cmocka_unit_test(test_number_of_the_node),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_limit_of_a_parent),
		cmocka_unit_test(test_kernel_without_numa_stat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
