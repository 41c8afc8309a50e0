/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/oci.h"

#include "fixture.h"

/* What runc 1.1 writes. */
static const char runc[] =
	"{\"ociVersion\":\"1.0.2-dev\",\"id\":\"box\",\"status\":\"creating\",\"pid\":21736,"
	"\"bundle\":\"/b\",\"annotations\":{\"lxcfs-clone/files\":\"meminfo, proc/stat\","
	"\"else\":\"x\"}}";
/* And crun 1.8. */
static const char crun[] =
	"{\"ociVersion\":\"1.0\",\"id\":\"box\",\"pid\":0,\"root\":\"rootfs\",\"bundle\":\"/b\","
	"\"status\":\"created\"}";
static const char config[] =
	"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\",\"readonly\":true},"
	"\"annotations\":{\"lxcfs-clone\":\"off\"},\"process\":{\"args\":[\"sh\"]}}";

typedef bool parse_fn(const char *text, size_t len, GError **error);

static bool parse_state(const char *text, size_t len, GError **error)
{
	AUTO_OCI_STATE struct oci_state s = { 0 };
	bool ok = oci_state_parse(text, len, &s, error);

	if (ok) {
		assert_in_range(s.pid, 0, OCI_PID_MAX);
		assert_int_equal(*s.bundle, '/');
	} else {
		assert_null(s.bundle);
	}
	return ok;
}

static bool parse_config(const char *text, size_t len, GError **error)
{
	AUTO_OCI_CONFIG struct oci_config c = { 0 };
	bool ok = oci_config_parse(text, len, &c, error);

	assert_true(ok ? *c.root : !c.root);
	return ok;
}

/* In memory of its exact size, and a NUL; what is refused, is so with one sentence on one line. */
static bool parsed(parse_fn *parse, const char *text, size_t len)
{
	g_autoptr(GError) error = NULL;
	char *copy = malloc(len + 1);
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, len);
	copy[len] = '\0';
	ok = parse(copy, len, &error);
	free(copy);
	assert_true(ok == !error);
	if (error) {
		assert_true(*error->message);
		assert_null(strchr(error->message, '\n'));
	}
	return ok;
}

static void refused(parse_fn *parse, const char *text, const char *sentence)
{
	g_autoptr(GError) error = NULL;

	assert_false(parse(text, strlen(text), &error));
	assert_string_equal(error->message, sentence);
}

static void test_state_of_runc(void **state)
{
	AUTO_OCI_STATE struct oci_state s = { 0 };

	(void)state;
	assert_true(oci_state_parse(runc, strlen(runc), &s, NULL));
	assert_int_equal(s.pid, 21736);
	assert_string_equal(s.bundle, "/b");
	assert_null(s.root);
	assert_false(s.wish.off);
	assert_string_equal(s.wish.files[0], "meminfo");
	assert_string_equal(s.wish.files[1], "proc/stat");
	assert_null(s.wish.files[2]);
}

static void test_state_of_crun(void **state)
{
	AUTO_OCI_STATE struct oci_state s = { 0 };

	(void)state;
	assert_true(oci_state_parse(crun, strlen(crun), &s, NULL));
	assert_int_equal(s.pid, 0);
	assert_string_equal(s.root, "rootfs");
	assert_null(s.wish.files);
}

static void test_config(void **state)
{
	AUTO_OCI_CONFIG struct oci_config c = { 0 };

	(void)state;
	assert_true(oci_config_parse(config, strlen(config), &c, NULL));
	assert_string_equal(c.root, "rootfs");
	assert_true(c.wish.off);
}

static void test_sentences(void **state)
{
	(void)state;
	refused(parse_state, "[]", "it is no JSON object");
	refused(parse_state, "{}", "it has no 'ociVersion'");
	refused(parse_state, "{\"ociVersion\":\"1\",\"id\":7}", "its 'id' is no text");
	refused(parse_state, "{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"stopped\"}",
		"its 'status' is none of a container that is made or runs");
	refused(parse_state,
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"b\"}",
		"its 'bundle' is no absolute path");
	refused(parse_state,
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/b\"}",
		"it has no 'pid'");
	refused(parse_state,
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/"
		"b\",\"pid\":-1}",
		"its 'pid' cannot be that of a process");
	refused(parse_state,
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/"
		"b\",\"pid\":1,"
		"\"annotations\":{\"lxcfs-clone\":\"of\\nf\"}}",
		"its annotation lxcfs-clone is 'of\\012f', neither on nor off");
	refused(parse_state,
		"{\"ociVersion\":\"1\",\"id\":\"a\",\"status\":\"created\",\"bundle\":\"/"
		"b\",\"pid\":1,"
		"\"annotations\":{\"lxcfs-clone/files\":\"meminfo,../x\"}}",
		"its annotation lxcfs-clone/files: '../x' cannot be the name of a file here");
	refused(parse_config, "{}", "it has no 'root'");
	refused(parse_config, "{\"root\":{}}", "its 'root': it has no 'path'");
	refused(parse_config, "{\"root\":[]}", "its 'root' is no object");
}

static void test_what_is_quoted_is_cut_within_a_character(void **state)
{
	g_autofree char *start = g_strnfill(63, 'a');
	g_autofree char *text = g_strdup_printf(
		"{\"root\":{\"path\":\"r\"},\"annotations\":{\"lxcfs-clone\":\"%s\u00e9\"}}",
		start);
	g_autofree char *wanted = g_strdup_printf(
		"its annotation lxcfs-clone is '%s\ufffd', neither on nor off", start);

	(void)state;
	refused(parse_config, text, wanted);
}

/*
 * JSON-GLib would take half a pair with the character behind it, and what is behind a NUL for
 * nothing.
 */
static void test_what_is_no_character(void **state)
{
	static const char text[] =
		"{\"ociVersion\":\"1\\ude00\",\"id\":\"a\",\"status\":\"created\",\"bundle\":"
		"\"/b\\u0000c\",\"root\":\"\\ud83d\\ude00\\\\u0000\",\"pid\":1,"
		"\"annotations\":{\"x\":\"\\ud83d\",\"lxcfs-clone/files\":\"meminfo\"}}";
	AUTO_OCI_STATE struct oci_state s = { 0 };

	(void)state;
	assert_true(oci_state_parse(text, strlen(text), &s, NULL));
	assert_string_equal(s.bundle, "/b\ufffdc");
	assert_string_equal(s.root, "\xf0\x9f\x98\x80\\u0000");
	assert_string_equal(s.wish.files[0], "meminfo");
}

static void test_names_of_files(void **state)
{
	static const char *const bad[] = {
		"",       ",",  "a,",     "/a",     "a/", "a//b",     "..",
		"a/../b", ".a", "a\001b", "a b,,c", " ",  "\xc3\xa9", "a\\b",
	};
	g_auto(GStrv) names = NULL;
	g_autofree char *many = g_strnfill(200, ',');

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_false(oci_files(bad[i], &names, NULL));
	assert_false(oci_files(many, &names, NULL));
	assert_true(oci_files("stat  uptime\tswaps, cpuinfo", &names, NULL));
	assert_int_equal(g_strv_length(names), 4);
	assert_string_equal(names[1], "uptime");
	assert_string_equal(names[3], "cpuinfo");
	g_strfreev(names);
	assert_true(oci_files(" meminfo ,sys/devices/system/cpu", &names, NULL));
	assert_string_equal(names[1], "sys/devices/system/cpu");
}

/* A member by another name is missing. */
static unsigned try_without(parse_fn *parse, const char *text, const char *name,
			    const char *const *needed)
{
	g_autofree char *copy = g_strdup(text);
	g_autofree char *member = g_strndup(name + 1, strcspn(name + 1, "\""));

	copy[name + 1 - text] = 'X';
	assert_true(parsed(parse, copy, strlen(copy)) == !g_strv_contains(needed, member));
	return 1;
}

/* Every member in turn is missing, and every kind of thing that it should not be. */
static unsigned try_replacements(parse_fn *parse, const char *text, const char *const *needed)
{
	static const char *const wrong[] = {
		"null",
		"true",
		"-1",
		"1.5",
		"99999999999999999999",
		"1e9",
		"[]",
		"[[\"a\"]]",
		"{}",
		"{\"lxcfs-clone\":7}",
		"{\"lxcfs-clone\":\"\"}",
		"{\"lxcfs-clone/files\":\"\"}",
		"{\"lxcfs-clone/files\":[]}",
		"\"\"",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"..\"",
		"\"/../../../../etc\"",
		"\"\\n\\n\"",
		"4194305",
		"",
		"}",
		"\"",
		"{\"path\":\"\"}",
		"{\"path\":null}",
		"{\"path\":{}}",
	};
	unsigned n = 0;

	for (const char *name = strchr(text, '"'); name; name = strchr(name + 1, '"')) {
		const char *value = strchr(name + 1, '"'), *end;

		if (!value || value[1] != ':')
			continue;
		value += 2;
		end = value + strcspn(value, ",}");
		for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++, n++) {
			g_autofree char *start = g_strndup(text, (gsize)(value - text));
			g_autofree char *hostile = g_strconcat(start, wrong[i], end, NULL);

			parsed(parse, hostile, strlen(hostile));
		}
		n += try_without(parse, text, name, needed);
	}
	return n;
}

static void test_500_hostile_inputs(void **state)
{
	static const char *const state_needs[] = { "ociVersion", "id",  "status",
						   "bundle",     "pid", NULL };
	static const char *const config_needs[] = { "root", "path", NULL };
	g_autofree char *huge = g_strnfill(1 << 20, '{');
	unsigned n = 0;

	(void)state;
	n += try_replacements(parse_state, runc, state_needs);
	n += try_replacements(parse_state, crun, state_needs);
	n += try_replacements(parse_config, config, config_needs);
	for (size_t len = 0; len < sizeof(runc) - 1; len++, n++)
		assert_false(parsed(parse_state, runc, len));
	for (size_t len = 0; len < sizeof(config) - 1; len++, n++)
		assert_false(parsed(parse_config, config, len));
	assert_false(parsed(parse_state, huge, 1 << 20));
	assert_in_range(n, 500, 5000);
}

static void mutate(parse_fn *parse, const char *text, size_t size, guint32 seed)
{
	static const char marks[] = "{}[]\",:\\u0e-./ \n\t\xff\xc3\xa9";
	g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

	for (unsigned round = 0; round < 20000; round++) {
		g_autofree char *bytes = g_memdup2(text, size);
		size_t len = size;

		for (int left = g_rand_int_range(rand, 1, 6); left > 0; left--) {
			size_t at = (size_t)g_rand_int_range(rand, 0, (int)len);
			size_t from = (size_t)g_rand_int_range(rand, 0, (int)len);

			switch (g_rand_int_range(rand, 0, 4)) {
			case 0:
				bytes[at] = (char)g_rand_int_range(rand, 0, 256);
				break;
			case 1:
				bytes[at] = marks[g_rand_int_range(rand, 0, sizeof(marks))];
				break;
			case 2:
				memmove(bytes + at, bytes + from, len - MAX(at, from));
				break;
			default:
				len = left == 5 ? at + 1 : len;
			}
		}
		parsed(parse, bytes, len);
	}
}

static void test_40000_mutated_texts(void **state)
{
	(void)state;
	mutate(parse_state, runc, sizeof(runc) - 1, 1);
	mutate(parse_config, config, sizeof(config) - 1, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_of_runc),
		cmocka_unit_test(test_state_of_crun),
		cmocka_unit_test(test_config),
		cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_what_is_quoted_is_cut_within_a_character),
		cmocka_unit_test(test_what_is_no_character),
		cmocka_unit_test(test_names_of_files),
		cmocka_unit_test(test_500_hostile_inputs),
		cmocka_unit_test(test_40000_mutated_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
