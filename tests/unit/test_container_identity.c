/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/identity.h"

#include "fixture.h"

/* A v1 host: hierarchies with ids 1 (cpu, cpuacct), 2 (memory), and 3, which has no controller. */
static void lab_make_three(struct lab *lab)
{
	lab_make(lab);
	lab_mkdir(lab, "cpu");
	lab_mkdir(lab, "memory");
	lab_mkdir(lab, "systemd");
	lab_detect(lab,
		   "30 1 0:26 / /cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
		   "31 1 0:27 / /memory rw - cgroup cgroup rw,memory\n"
		   "32 1 0:28 / /systemd rw - cgroup cgroup rw,xattr,name=systemd\n",
		   "3:name=systemd:/\n2:memory:/\n1:cpu,cpuacct:/\n");
}

static void test_below_on_v2(void **state)
{
	static const struct {
		const char *below, *above;
		bool want;
	} rows[] = {
		{ "0::/a/b\n", "0::/a/b\n", true },
		{ "0::/a/b/c\n", "0::/a/b\n", true },
		{ "0::/a/b\n", "0::/\n", true },
		{ "0::/\n", "0::/\n", true },
		{ "0::/a\n", "0::/a/b\n", false },
		{ "0::/a/bc\n", "0::/a/b\n", false },
		{ "0::/x/a/b\n", "0::/a/b\n", false },
		{ "0::/\n", "0::/a\n", false },
		/* names of containers */
		{ "0::/a b:c/d\n", "0::/a b:c\n", true },
		{ "0::/a/.../d\n", "0::/a/...\n", true },
		{ "0::/a (deleted)\n", "0::/a\n", false },
	};
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_int_equal(identity_is_below(lab.layout, rows[i].below, rows[i].above),
				 rows[i].want);
	lab_end(&lab);
}

static void test_below_in_every_hierarchy_that_has_a_controller(void **state)
{
	static const char init[] = "3:name=systemd:/i\n2:memory:/pod/a\n1:cpu,cpuacct:/pod/a\n";
	struct lab lab;

	(void)state;
	lab_make_three(&lab);
	assert_true(identity_is_below(lab.layout, init, init));
	assert_true(identity_is_below(
		lab.layout, "3:name=systemd:/x\n2:memory:/pod/a/b\n1:cpu,cpuacct:/pod/a\n", init));
	assert_false(identity_is_below(
		lab.layout, "3:name=systemd:/i\n2:memory:/pod/b\n1:cpu,cpuacct:/pod/a\n", init));
	assert_false(identity_is_below(
		lab.layout, "3:name=systemd:/i\n2:memory:/pod/a\n1:cpu,cpuacct:/pod\n", init));
	lab_end(&lab);
}

static void test_at_root(void **state)
{
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "3:name=systemd:/\n2:memory:/\n1:cpu,cpuacct:/\n", true },
		/* a session of the host: systemd's own hierarchy limits nothing */
		{ "3:name=systemd:/user.slice/x\n2:memory:/\n1:cpu,cpuacct:/\n", true },
		{ "3:name=systemd:/\n2:memory:/a\n1:cpu,cpuacct:/\n", false },
		{ "3:name=systemd:/\n2:memory:/\n1:cpu,cpuacct:/a\n", false },
		/* hierarchies that nobody told of */
		{ "1:cpu,cpuacct:/\n", true },
		{ "", true },
		{ "9:pids:/a\n", true },
	};
	struct lab lab;

	(void)state;
	lab_make_three(&lab);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		assert_int_equal(identity_at_root(lab.layout, rows[i].text), rows[i].want);
	lab_end(&lab);
}

static void test_recorded_containers_are_not_at_the_root(void **state)
{
	static const char *const hosts[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(hosts); i++) {
		g_autofree char *self_path = g_build_filename(hosts[i], "proc/self/cgroup", NULL);
		g_autofree char *path = g_build_filename(hosts[i], "proc/1000/cgroup", NULL);
		g_autofree char *self = fixture_read(self_path);
		g_autofree char *text = fixture_read(path);
		struct lab lab;

		lab_open(&lab, hosts[i]);
		assert_false(identity_at_root(lab.layout, text));
		assert_true(identity_is_below(lab.layout, text, self));
		assert_false(identity_is_below(lab.layout, self, text));
		lab_end(&lab);
	}
}

static void test_roots_of_a_cgroup_namespace(void **state)
{
	static const struct {
		char *host, *inside, *own_host, *own_inside, *want;
	} rows[] = {
		{ "0::/ct\n", "0::/\n", "0::/\n", "0::/..\n", "0::/ct\n" },
		{ "0::/a/ct/x/y\n", "0::/x/y\n", "0::/\n", "0::/../..\n", "0::/a/ct\n" },
		{ "0::/ct/x\n", "0::/x\n", "0::/svc\n", "0::/../svc\n", "0::/ct\n" },
		{ "0::/a/ct/x\n", "0::/x\n", "0::/a/b/c\n", "0::/../b/c\n", "0::/a/ct\n" },
		{ "0::/a/ct/x\n", "0::/x\n", "0::/a\n", "0::/..\n", "0::/a/ct\n" },
		/* the namespace is that of the root, or ours is in it */
		{ "0::/x\n", "0::/x\n", "0::/\n", "0::/\n", "0::/\n" },
		{ "0::/ct/x\n", "0::/x\n", "0::/ct/svc\n", "0::/svc\n", "0::/ct\n" },
		/* we are in one of our own, beside it */
		{ "0::/../ct/x\n", "0::/x\n", "0::/\n", "0::/../svc\n", "0::/../ct\n" },
		{ "0::/../..\n", "0::/\n", "0::/s\n", "0::/a/b/s\n", "0::/../..\n" },
		/* moved out by the host */
		{ "0::/b/x\n", "0::/../b/x\n", "0::/\n", "0::/..\n", "0::/b/x\n" },
		{ "0::/\n", "0::/..\n", "0::/\n", "0::/..\n", "0::/\n" },
		/* names that look like it */
		{ "0::/ct/..x\n", "0::/..x\n", "0::/\n", "0::/..\n", "0::/ct\n" },
		{ "0::/ct/...\n", "0::/...\n", "0::/\n", "0::/..\n", "0::/ct\n" },
		/* told of two places: in its /a, and in its /ct/a and so on */
		{ "0::/ct/a\n", "0::/ct/a\n", "0::/\n", "0::/..\n", "0::/ct\n" },
		{ "0::/u/ct/a\n", "0::/ct/a\n", "0::/\n", "0::/../..\n", "0::/u/ct\n" },
		/* of ours nothing is told */
		{ "0::/ct/a\n", "0::/a\n", "", "", "0::/ct/a\n" },
		{ "0::\n", "0::/a\n", "0::/\n", "0::/..\n", "0::/\n" },
	};
	struct lab lab;

	(void)state;
	lab_make_v2(&lab);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct identity_look look = { .host = rows[i].host,
						    .inside = rows[i].inside,
						    .own_host = rows[i].own_host,
						    .own_inside = rows[i].own_inside };
		g_autofree char *roots = identity_roots(lab.layout, &look);

		assert_string_equal(roots, rows[i].want);
	}
	lab_end(&lab);
}

static void feed(const char *text, void *data)
{
	static const char usual[] = "3:name=systemd:/i\n2:memory:/pod/a\n1:cpu,cpuacct:/pod/a\n";
	const struct lab *lab = data;

	(void)identity_at_root(lab->layout, text);
	(void)identity_is_below(lab->layout, text, usual);
	(void)identity_is_below(lab->layout, usual, text);
	for (unsigned which = 0; which < 16; which++) {
		const struct identity_look look = {
			.host = g_strdup(which & 1 ? text : usual),
			.inside = g_strdup(which & 2 ? text : usual),
			.own_host = g_strdup(which & 4 ? text : usual),
			.own_inside = g_strdup(which & 8 ? text : usual),
		};

		g_free(identity_roots(lab->layout, &look));
		g_free(look.host);
		g_free(look.inside);
		g_free(look.own_host);
		g_free(look.own_inside);
	}
}

static void test_hostile_texts(void **state)
{
	struct lab lab;

	(void)state;
	lab_make_three(&lab);
	feed_hostile("3:name=systemd:/i\n2:memory:/pod/a\n1:cpu,cpuacct:/pod/a (deleted)\n", feed,
		     &lab);
	lab_end(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_below_on_v2),
		cmocka_unit_test(test_below_in_every_hierarchy_that_has_a_controller),
		cmocka_unit_test(test_at_root),
		cmocka_unit_test(test_recorded_containers_are_not_at_the_root),
		cmocka_unit_test(test_roots_of_a_cgroup_namespace),
		cmocka_unit_test(test_hostile_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
