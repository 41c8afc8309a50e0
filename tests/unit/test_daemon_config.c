/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"

#include "fixture.h"

/* Parses "lxcfs-clone" and the words of @line, each behind one blank. */
static enum config_result parse(const char *line, struct config *c, GError **error)
{
	g_autofree char *whole = g_strconcat("lxcfs-clone", *line ? " " : "", line, NULL);
	g_auto(GStrv) argv = g_strsplit(whole, " ", -1);

	return config_parse((int)g_strv_length(argv), argv, c, error);
}

static struct config parsed(const char *line)
{
	g_autoptr(GError) error = NULL;
	struct config c;

	if (parse(line, &c, &error) != CONFIG_RUN)
		fail_msg("'%s' was not taken: %s", line, error ? error->message : "done");
	assert_null(error);
	return c;
}

static void test_nothing_given(void **state)
{
	struct config c = parsed("");

	(void)state;
	assert_string_equal(c.mountpoint, DEFAULT_MOUNTPOINT);
	assert_null(c.pidfile);
	assert_string_equal(c.mount_options, "");
	assert_false(c.debug);
	assert_true(c.view.cpu_quota && c.view.swap && c.view.loadavg);
	assert_int_equal(c.role, ROLE_FIRST);
	assert_int_equal(c.handed.fuse, -1);
	assert_int_equal(c.handed.control, -1);
	config_clear(&c);
}

static void test_each_switch(void **state)
{
	static const struct {
		const char *line;
		bool debug, no_quota, no_swap, no_load;
	} rows[] = {
		{ .line = "-d", .debug = true },
		{ .line = "--debug", .debug = true },
		{ .line = "--no-cpu-quota", .no_quota = true },
		{ .line = "-u", .no_swap = true },
		{ .line = "--disable-swap", .no_swap = true },
		{ .line = "--disable-loadavg", .no_load = true },
		{ .line = "-du --no-cpu-quota --disable-loadavg",
		  .debug = true,
		  .no_quota = true,
		  .no_swap = true,
		  .no_load = true },
		/* lxcfs's, for what is on already */
		{ .line = "-f" },
		{ .line = "--foreground" },
		{ .line = "-l" },
		{ .line = "--enable-loadavg --enable-cfs --enable-pidfd" },
		{ .line = "-f -l --enable-cfs" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct config c = parsed(rows[i].line);

		assert_int_equal(c.debug, rows[i].debug);
		assert_int_equal(c.view.cpu_quota, !rows[i].no_quota);
		assert_int_equal(c.view.swap, !rows[i].no_swap);
		assert_int_equal(c.view.loadavg, !rows[i].no_load);
		assert_string_equal(c.mountpoint, DEFAULT_MOUNTPOINT);
		config_clear(&c);
	}
}

static void test_mount_point_becomes_absolute(void **state)
{
	static const struct {
		const char *line, *want; /* not beginning with '/': below the current directory */
	} rows[] = {
		{ "/run/x", "/run/x" },           { "/run/x/", "/run/x" },
		{ "/run/../run//x/.", "/run/x" }, { "x/y", "x/y" },
		{ "-d /run/x -u", "/run/x" },     { "-- -odd", "-odd" },
	};
	g_autofree char *here = g_get_current_dir();

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct config c = parsed(rows[i].line);
		g_autofree char *want = rows[i].want[0] == '/'
						? g_strdup(rows[i].want)
						: g_build_filename(here, rows[i].want, NULL);

		assert_string_equal(c.mountpoint, want);
		config_clear(&c);
	}
}

static void test_pid_file_becomes_absolute(void **state)
{
	g_autofree char *here = g_get_current_dir();
	g_autofree char *want = g_build_filename(here, "run/pid", NULL);
	struct config c = parsed("-p run/pid");

	(void)state;
	assert_string_equal(c.pidfile, want);
	config_clear(&c);
	c = parsed("--pidfile=/run/lxcfs-clone.pid");
	assert_string_equal(c.pidfile, "/run/lxcfs-clone.pid");
	config_clear(&c);
}

static void test_mount_options(void **state)
{
	static const struct {
		const char *line, *want;
	} rows[] = {
		{ "-o allow_other", "" },
		{ "-o allow_other,ro,nonempty,nosuid,nodev,default_permissions", "" },
		{ "-o max_read=4096", ",max_read=4096" },
		{ "-o allow_other,max_read=4096,direct_io", ",max_read=4096" },
		{ "-o max_read=1 -o context=a:b:c", ",max_read=1,context=a:b:c" },
		{ "--options=use_ino", "" },
		{ "-o ,,allow_other,", "" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct config c = parsed(rows[i].line);

		assert_string_equal(c.mount_options, rows[i].want);
		config_clear(&c);
	}
}

static void test_worker_has_its_descriptors(void **state)
{
	struct config c = parsed("--worker=3,40,41,500,0 -u /run/x");

	(void)state;
	assert_int_equal(c.role, ROLE_WORKER);
	assert_int_equal(c.handed.fuse, 3);
	assert_int_equal(c.handed.shared, 40);
	assert_int_equal(c.handed.lock, 41);
	assert_int_equal(c.handed.control, 500);
	assert_false(c.view.swap);
	assert_string_equal(c.mountpoint, "/run/x");
	config_clear(&c);
}

static void test_keeper_that_takes_over(void **state)
{
	struct config c = parsed("--keeper=3,40,41,0,0 /run/x");

	(void)state;
	assert_int_equal(c.role, ROLE_KEEPER);
	assert_int_equal(c.handed.control, -1); /* no worker is alive */
	assert_int_equal(c.handed.peer, 0);
	config_clear(&c);
	c = parsed("--keeper=3,40,41,7,1234 /run/x");
	assert_int_equal(c.handed.control, 7);
	assert_int_equal(c.handed.peer, 1234);
	config_clear(&c);
}

static void test_holder_has_a_time(void **state)
{
	static const struct {
		const char *line;
		unsigned seconds;
	} rows[] = {
		{ "", 0 },
		{ "--holder", 300 },
		{ "--holder=1", 1 },
		{ "--holder=86400", 86400 },
		{ "--holder /run/x", 300 }, /* the mount point is no number of seconds */
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		struct config c = parsed(rows[i].line);

		assert_int_equal(c.holder_seconds, rows[i].seconds);
		config_clear(&c);
	}
}

static void test_mistakes_are_told_in_a_sentence(void **state)
{
	static const struct {
		const char *line, *says;
	} rows[] = {
		{ "/run/a /run/b", "/run/b" },
		{ "/run/a /run/b /run/c", "/run/b" },
		{ "-o bogus", "'bogus'" },
		{ "-o allow_other,fsname=x", "'fsname=x'" },
		{ "-o max_read=1,rw", "'rw'" },
		{ "-o max_read=abc", "'max_read=abc'" },
		{ "-o max_read=4294967296", "'max_read=4294967296'" },
		{ "-o allow_others", "'allow_others'" },
		{ "--bogus", "--bogus" },
		{ "-x", "-x" },
		{ "-p", "-p" },
		{ "--pidfile= /run/a", "pid file" },
		{ "-o", "-o" },
		{ "--worker=1,2", "--worker" },
		{ "--worker=1,2,x", "--worker" },
		{ "--worker=1,2,3,4,5,6", "--worker" },
		{ "--worker=-1,2,3,4,5", "--worker" },
		{ "--worker=1,2,99999999999,4,5", "--worker" },
		{ "--keeper=1,2", "--keeper" },
		{ "--holder=0", "--holder=0" },
		{ "--holder=86401", "86400" },
		{ "--holder=x", "--holder=x" },
		{ "--holder=", "--holder" },
		{ "-- ", "empty" }, /* an empty word */
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		g_autoptr(GError) error = NULL;
		struct config c;

		if (parse(rows[i].line, &c, &error) != CONFIG_ERROR || !error)
			fail_msg("'%s' was taken", rows[i].line);
		assert_non_null(strstr(error ? error->message : "", rows[i].says));
		assert_null(strchr(error ? error->message : "", '\n'));
	}
}

static void test_nothing_is_owned_after_a_mistake(void **state)
{
	static const char *const lines[] = { "-p /run/pid /run/a /run/b", "-o max_read=1,bogus /x",
					     "-p /run/pid --worker=1 /run/x" };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
		g_autoptr(GError) error = NULL;
		struct config c;

		assert_int_equal(parse(lines[i], &c, &error), CONFIG_ERROR);
		assert_null(c.mountpoint);
		assert_null(c.pidfile);
		assert_null(c.mount_options);
	}
}

static void test_words_given_stay_as_they_were(void **state)
{
	char *argv[] = { (char[]){ "lxcfs-clone" }, (char[]){ "-d" }, (char[]){ "/run/x" }, NULL };
	struct config c;

	(void)state;
	assert_int_equal(config_parse(3, argv, &c, NULL), CONFIG_RUN);
	/* workers are started with them */
	assert_string_equal(argv[1], "-d");
	assert_string_equal(argv[2], "/run/x");
	config_clear(&c);
}

static void test_version_needs_no_more(void **state)
{
	g_autoptr(GError) error = NULL;
	int out = dup(STDOUT_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	enum config_result r;
	struct config c;

	(void)state;
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	r = parse("--version -o bogus", &c, &error);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	close(null);
	assert_int_equal(r, CONFIG_DONE);
	assert_null(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given),
		cmocka_unit_test(test_each_switch),
		cmocka_unit_test(test_mount_point_becomes_absolute),
		cmocka_unit_test(test_pid_file_becomes_absolute),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_worker_has_its_descriptors),
		cmocka_unit_test(test_keeper_that_takes_over),
		cmocka_unit_test(test_holder_has_a_time),
		cmocka_unit_test(test_mistakes_are_told_in_a_sentence),
		cmocka_unit_test(test_nothing_is_owned_after_a_mistake),
		cmocka_unit_test(test_words_given_stay_as_they_were),
		cmocka_unit_test(test_version_needs_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
