/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/host.h"

#include "fixture.h"
#include "util/fd.h"

static const char *const recorded[] = { "hybrid-6.18", "v1-6.1", "v2-6.1" };

static struct host *host_at(const char *root)
{
	struct host *host = NULL;

	assert_int_equal(host_open(root, &host), 0);
	assert_non_null(host);
	return host;
}

static void test_recorded_hosts_have_every_kept_file(void **state)
{
	g_autofree char *buf = g_malloc(1 << 16);

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(recorded); i++) {
		g_autofree char *root = fixture_path(recorded[i]);
		struct host *host = host_at(root);

		for (enum host_file f = 0; f < HOST_N_FILES; f++)
			assert_true(host_read(host, f, buf, 1 << 16) > 0);
		host_free(host);
	}
}

static void test_each_file_is_the_one_of_its_name(void **state)
{
	static const struct {
		enum host_file file;
		const char *begins;
	} rows[] = {
		{ HOST_MEMINFO, "MemTotal:" },      { HOST_STAT, "cpu  " },
		{ HOST_CPUINFO, "processor\t: 0" }, { HOST_DISKSTATS, "   7       0 loop0" },
		{ HOST_SWAPS, "Filename" },         { HOST_OVERCOMMIT_RATIO, "50\n" },
		{ HOST_OVERCOMMIT_KBYTES, "0\n" },  { HOST_CPU_ONLINE, "0-1\n" },
	};
	g_autofree char *root = fixture_path("hybrid-6.18");
	struct host *host = host_at(root);
	char buf[1 << 16];

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		assert_true(host_read(host, rows[i].file, buf, sizeof(buf)) > 0);
		assert_true(g_str_has_prefix(buf, rows[i].begins));
	}
	host_free(host);
}

static void test_absent_file_and_small_buffer(void **state)
{
	struct lab lab;
	struct host *host;
	char buf[8];

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "proc/meminfo", "MemTotal: 1 kB\n");
	lab_mkdir(&lab, "sys");
	host = host_at(lab.dir);
	assert_int_equal(host_read(host, HOST_SWAPS, buf, sizeof(buf)), -ENOENT);
	assert_int_equal(host_read(host, HOST_MEMINFO, buf, sizeof(buf)), -EFBIG);
	host_free(host);
	lab_end(&lab);
}

/* Neither the failed open nor what it cleans up may take a descriptor that is not its own. */
static void test_failed_open_closes_no_descriptor_of_others(void **state)
{
	struct host *host = NULL;
	struct lab lab;

	(void)state;
	if (fcntl(STDIN_FILENO, F_GETFD) < 0)
		assert_int_equal(open("/dev/null", O_RDONLY), STDIN_FILENO);
	assert_int_equal(host_open("/absent/host", &host), -ENOENT);
	assert_null(host);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	lab_make(&lab);
	lab_mkdir(&lab, "proc"); /* no sys */
	assert_int_equal(host_open(lab.dir, &host), -ENOENT);
	assert_null(host);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
	lab_end(&lab);
}

static void test_free_of_none(void **state)
{
	(void)state;
	assert_null(host_free(NULL));
}

static void test_directories_are_those_of_the_root(void **state)
{
	g_autofree char *root = fixture_path("v2-6.1");
	struct host *host = host_at(root);
	char buf[64];

	(void)state;
	assert_true(fd_read_at(host_proc_dir(host), "loadavg", buf, sizeof(buf)) > 0);
	assert_true(fd_read_at(host_sys_dir(host), "devices/system/cpu/online", buf, sizeof(buf)) >
		    0);
	assert_string_equal(buf, "0-3\n");
	host_free(host);
}

static void test_text_is_shared_until_it_is_too_old(void **state)
{
	struct lab lab;
	struct host *host;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "sys");
	lab_write(&lab, "proc/stat", "cpu 1\n");
	host = host_at(lab.dir);
	AUTO_HOST_TEXT struct host_text *first = NULL;
	AUTO_HOST_TEXT struct host_text *again = NULL;
	AUTO_HOST_TEXT struct host_text *later = NULL;

	assert_int_equal(host_text_get(host, HOST_STAT, 60000, &first), 0);
	assert_string_equal(first->str, "cpu 1\n");
	assert_int_equal(first->len, 6);
	lab_write(&lab, "proc/stat", "cpu 2\n");
	assert_int_equal(host_text_get(host, HOST_STAT, 60000, &again), 0);
	assert_ptr_equal(again, first);
	g_usleep(30000);
	assert_int_equal(host_text_get(host, HOST_STAT, 1, &later), 0);
	assert_string_equal(later->str, "cpu 2\n");
	assert_string_equal(first->str, "cpu 1\n"); /* those who hold it keep it */
	host_free(host);
	lab_end(&lab);
}

static void test_reference_outlives_the_host(void **state)
{
	g_autofree char *root = fixture_path("v1-6.1");
	struct host *host = host_at(root);
	AUTO_HOST_TEXT struct host_text *text = NULL;

	(void)state;
	assert_int_equal(host_text_get(host, HOST_CPUINFO, 0, &text), 0);
	host_free(host);
	assert_true(g_str_has_prefix(text->str, "processor"));
	assert_int_equal(text->len, strlen(text->str));
}

static void test_text_of_an_absent_file(void **state)
{
	struct host_text *text = NULL;
	struct host *host;
	struct lab lab;

	(void)state;
	lab_make(&lab);
	lab_mkdir(&lab, "sys");
	lab_mkdir(&lab, "proc");
	host = host_at(lab.dir);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(host_text_get(host, HOST_STAT, 1000, &text), -ENOENT);
	assert_null(text);
	host_free(host);
	lab_end(&lab);
}

static void test_text_of_any_length(void **state)
{
	static const size_t lengths[] = { 0, 1, 16382, 16383, 16384, 70000, 1 << 20 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(lengths); i++) {
		g_autofree char *text = g_strnfill(lengths[i], 'x');
		AUTO_HOST_TEXT struct host_text *got = NULL;
		struct host *host;
		struct lab lab;

		lab_make(&lab);
		lab_mkdir(&lab, "sys");
		lab_write(&lab, "proc/cpuinfo", text);
		host = host_at(lab.dir);
		assert_int_equal(host_text_get(host, HOST_CPUINFO, 0, &got), 0);
		assert_int_equal(got->len, lengths[i]);
		assert_string_equal(got->str, text);
		host_free(host);
		lab_end(&lab);
	}
}

static void *read_often(void *data)
{
	for (unsigned i = 0; i < 500; i++) {
		AUTO_HOST_TEXT struct host_text *text = NULL;

		if (host_text_get(data, HOST_STAT, 0, &text) < 0 ||
		    !g_str_has_prefix(text->str, "cpu  "))
			return data;
	}
	return NULL;
}

static void test_readers_at_once_all_get_a_text(void **state)
{
	g_autofree char *root = fixture_path("hybrid-6.18");
	struct host *host = host_at(root);
	GThread *threads[4];

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new(NULL, read_often, host);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		assert_null(g_thread_join(threads[i]));
	host_free(host);
}

static void test_smaller_timeout_of_fuse_counts(void **state)
{
	struct lab lab;
	struct host *host;

	(void)state;
	lab_make(&lab);
	lab_write(&lab, "proc/meminfo", "");
	lab_write(&lab, "sys/kernel/x", "");
	host = host_at(lab.dir);
	assert_int_equal(host_fuse_timeout(host), 0); /* before Linux 6.14 */
	lab_write(&lab, "proc/sys/fs/fuse/default_request_timeout", "0\n");
	lab_write(&lab, "proc/sys/fs/fuse/max_request_timeout", "0\n");
	assert_int_equal(host_fuse_timeout(host), 0);
	lab_write(&lab, "proc/sys/fs/fuse/max_request_timeout", "60\n");
	assert_int_equal(host_fuse_timeout(host), 60);
	lab_write(&lab, "proc/sys/fs/fuse/default_request_timeout", "20\n");
	assert_int_equal(host_fuse_timeout(host), 20);
	lab_write(&lab, "proc/sys/fs/fuse/default_request_timeout", "soon\n");
	assert_int_equal(host_fuse_timeout(host), 60);
	host_free(host);
	lab_end(&lab);
}

static void test_own_executable(void **state)
{
	struct host *host = host_at("/");
	char path[512], name[4];

	(void)state;
	assert_int_equal(host_self_exe_path(host, path, sizeof(path)), 0);
	assert_true(g_str_has_suffix(path, "/test_host_host"));
	assert_int_equal(host_self_exe_path(host, name, sizeof(name)), -ENAMETOOLONG);
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recorded_hosts_have_every_kept_file),
		cmocka_unit_test(test_each_file_is_the_one_of_its_name),
		cmocka_unit_test(test_absent_file_and_small_buffer),
		cmocka_unit_test(test_failed_open_closes_no_descriptor_of_others),
		cmocka_unit_test(test_free_of_none),
		cmocka_unit_test(test_directories_are_those_of_the_root),
		cmocka_unit_test(test_text_is_shared_until_it_is_too_old),
		cmocka_unit_test(test_reference_outlives_the_host),
		cmocka_unit_test(test_text_of_an_absent_file),
		cmocka_unit_test(test_text_of_any_length),
		cmocka_unit_test(test_readers_at_once_all_get_a_text),
		cmocka_unit_test(test_smaller_timeout_of_fuse_counts),
		cmocka_unit_test(test_own_executable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
