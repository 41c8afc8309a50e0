/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "golden.h"
#include "install/ways.h"

static const struct way_options usual = { .mountpoint = "/var/lib/lxcfs-clone" };

static void assert_edit(const char *before, const char *golden)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *after = containerd_add(before, &usual, &error);
	g_autofree char *undone = NULL;

	assert_null(error);
	assert_golden(golden, after);
	undone = containerd_strip(after, before, &error);
	assert_null(error);
	/* A last line without its end has got one. */
	assert_true(g_str_has_prefix(undone, before));
	assert_true(strlen(undone) - strlen(before) <= 1);
}

static void test_no_file(void **state)
{
	g_autofree char *after = containerd_add(NULL, &usual, NULL);

	(void)state;
	assert_golden("golden/install-containerd-new", after);
}

static void test_an_operators_file(void **state)
{
	g_autofree char *kubeadm = fixture_read("install/containerd-kubeadm.toml");
	g_autofree char *third = fixture_read("install/containerd-3.toml");

	(void)state;
	assert_edit(kubeadm, "golden/install-containerd-kubeadm");
	assert_edit(third, "golden/install-containerd-3");
	assert_null(containerd_idle(kubeadm));
}

static void test_a_plugin_that_is_off(void **state)
{
	(void)state;
	assert_non_null(containerd_idle("disabled_plugins = [\"cri\"]\nversion = 2\n"));
	assert_non_null(containerd_idle(
		"version = 2\ndisabled_plugins=['a', \"io.containerd.grpc.v1.cri\"]"));
	assert_null(containerd_idle("#disabled_plugins = [\"cri\"]\nversion = 2\n"));
	assert_null(containerd_idle("[a]\ndisabled_plugins = [\"cri\"]\n"));
}

static void test_lines_behind_ours_stay(void **state)
{
	g_autofree char *after = containerd_add("version = 2\n", &usual, NULL);
	g_autofree char *changed = g_strconcat("# mine\n", after, "[debug]\n", NULL);
	g_autofree char *undone = containerd_strip(changed, "version = 2\n", NULL);

	(void)state;
	assert_string_equal(undone, "# mine\nversion = 2\n[debug]\n");
}

static void test_what_is_refused(void **state)
{
	static const char odd[] = "it has plugins' settings in the form of keys, not of tables";
	static const char version[] = "it does not begin with \"version = 2\" (or 3)";
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", version },
		{ "version = 1\n", version },
		{ "[a]\nversion = 2\n", version },
		{ "version = \"2\"\n", version },
		{ "version = 2\nx = \"\"\"\n[plugins]\n\"\"\"\n",
		  "it has strings of several lines" },
		{ "version = 2\nplugins = {}\n", odd },
		{ "version = 2\nplugins.\"a\".b = 1\n", odd },
		{ "version = 2\n[plugins]\n\"io.containerd.grpc.v1.cri\" = {}\n", odd },
		{ "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\"]\ncontainerd = {}\n", odd },
		{ "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nruntimes.x.y = "
		  "1\n",
		  odd },
		{ "version = 2\n[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes."
		  "lxcfs-clone]\n",
		  "it has a runtime \"lxcfs-clone\" that is not ours" },
		{ "version = 2\nx = \"\xff\"\n", "it is not UTF-8" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autoptr(GError) error = NULL;
		g_autofree char *after = containerd_add(cases[i].text, &usual, &error);

		assert_null(after);
		assert_string_equal(error->message, cases[i].says);
	}
}

static void test_a_block_without_its_end(void **state)
{
	g_autofree char *after = containerd_add("version = 2\n", &usual, NULL);
	g_autofree char *twice = g_strconcat(after, after, NULL);
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_null(containerd_strip(twice, NULL, &error));
	assert_non_null(error);
	*strstr(after, "# lxcfs-clone: end") = '\0';
	assert_null(containerd_strip(after, NULL, NULL));
}

static void edit(const char *text, void *count)
{
	g_autofree char *base = containerd_strip(text, NULL, NULL);
	g_autofree char *after = base ? containerd_add(base, &usual, NULL) : NULL;
	g_autofree char *undone = after ? containerd_strip(after, base, NULL) : NULL;

	(void)containerd_idle(text);
	if (!after)
		return;
	assert_true(g_str_has_prefix(undone, base));
	++*(unsigned *)count;
}

static void test_hostile_files(void **state)
{
	g_autofree char *text = fixture_read("golden/install-containerd-kubeadm");
	unsigned edited = 0;

	(void)state;
	feed_hostile(text, edit, &edited);
	assert_true(edited > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_file),
		cmocka_unit_test(test_an_operators_file),
		cmocka_unit_test(test_a_plugin_that_is_off),
		cmocka_unit_test(test_lines_behind_ours_stay),
		cmocka_unit_test(test_what_is_refused),
		cmocka_unit_test(test_a_block_without_its_end),
		cmocka_unit_test(test_hostile_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
