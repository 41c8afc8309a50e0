/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/mountinfo.h"

#include <linux/mount.h>

#include "fixture.h"

#define LINE                                                                                       \
	"412 398 0:57 /proc/mem\\040info /srv/a\\040b\\012c\\134d ro,nosuid,nodev,noexec "         \
	"shared:7 master:3 propagate_from:2 - fuse.lxcfs-clone lxcfs-clone@/m\\040n\\043beef "     \
	"ro,user_id=0\n"

static void test_every_field(void **state)
{
	char line[] = LINE;
	struct mountinfo m;

	(void)state;
	assert_int_equal(mountinfo_parse(line, &m), 0);
	assert_int_equal(m.id, 412);
	assert_int_equal(m.parent, 398);
	assert_int_equal(m.major, 0);
	assert_int_equal(m.minor, 57);
	assert_int_equal(m.peers, 7);
	assert_int_equal(m.master, 3);
	assert_string_equal(m.root, "/proc/mem info");
	assert_string_equal(m.point, "/srv/a b\nc\\d");
	assert_string_equal(m.options, "ro,nosuid,nodev,noexec");
	assert_string_equal(m.fstype, "fuse.lxcfs-clone");
	assert_string_equal(m.source, "lxcfs-clone@/m n#beef");
}

static void test_no_optional_field_and_an_empty_source(void **state)
{
	char line[] = "1 0 8:1 / / rw - tmpfs  rw";
	struct mountinfo m;

	(void)state;
	assert_int_equal(mountinfo_parse(line, &m), 0);
	assert_int_equal(m.peers, 0);
	assert_int_equal(m.master, 0);
	assert_string_equal(m.fstype, "tmpfs");
	assert_string_equal(m.source, "");
}

static void test_what_is_no_line_changes_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"\n",
		" ",
		"412",
		"412 398 0:57 /r /p ro",
		"412 398 0:57 /r /p ro -",
		"412 398 0:57 /r /p ro - fuse.x",
		"412 398 0:57 /r /p ro shared:7 fuse.x src rw",
		"412 398 0 /r /p ro - fuse.x src rw",
		"412 398 0:57x /r /p ro - fuse.x src rw",
		"412 398 :57 /r /p ro - fuse.x src rw",
		"412 398 0:57 /r /p ro shared:x - fuse.x src rw",
		"412 398 0:57 /r /p ro master: - fuse.x src rw",
		"-1 398 0:57 /r /p ro - fuse.x src rw",
		"99999999999999999999999 398 0:57 /r /p ro - fuse.x src rw",
		" 412 398 0:57 /r /p ro - fuse.x src rw",
		"412  398 0:57 /r /p ro - fuse.x src rw",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		g_autofree char *line = g_strdup(bad[i]);
		struct mountinfo m = { .id = 77 };

		assert_int_equal(mountinfo_parse(line, &m), -EBADMSG);
		assert_int_equal(m.id, 77);
	}
}

static void test_attributes_are_whole_words(void **state)
{
	(void)state;
	assert_int_equal(mountinfo_attrs("ro,nosuid,nodev,noexec,relatime"),
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				 MOUNT_ATTR_NOEXEC);
	assert_int_equal(mountinfo_attrs("rw,relatime"), 0);
	assert_int_equal(mountinfo_attrs("rox,r,xro,,o"), 0);
	assert_int_equal(mountinfo_attrs("rw,ro"), MOUNT_ATTR_RDONLY);
	assert_int_equal(mountinfo_attrs(""), 0);
}

static void parse_copy(const char *text, void *data)
{
	char *copy = malloc(strlen(text) + 1);
	struct mountinfo m;

	(void)data;
	assert_non_null(copy);
	memcpy(copy, text, strlen(text) + 1);
	if (mountinfo_parse(copy, &m) == 0) {
		assert_true(strlen(m.root) + strlen(m.point) + strlen(m.source) <= strlen(text));
		(void)mountinfo_attrs(m.options);
	}
	free(copy);
}

static void test_hostile(void **state)
{
	(void)state;
	feed_hostile(LINE, parse_copy, NULL);
}

/* Each of the 200,000 is the line with a few bytes changed, left out or said twice. */
static void test_mutated(void **state)
{
	static const char likely[] = " \n\t:,-\\0/9";
	g_autoptr(GRand) rand = g_rand_new_with_seed(4711);
	size_t len = strlen(LINE);

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		char line[2 * sizeof(LINE)] = LINE;
		size_t n = len;

		for (int left = g_rand_int_range(rand, 1, 5); left > 0 && n > 1; left--) {
			size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)n);

			switch (g_rand_int_range(rand, 0, 3)) {
			case 0:
				line[at] = likely[g_rand_int_range(rand, 0, sizeof(likely) - 1)];
				break;
			case 1:
				memmove(line + at, line + at + 1, n - at);
				n--;
				break;
			default:
				line[at] = (char)g_rand_int_range(rand, 1, 256);
			}
		}
		line[n] = '\0';
		parse_copy(line, NULL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_field),
		cmocka_unit_test(test_no_optional_field_and_an_empty_source),
		cmocka_unit_test(test_what_is_no_line_changes_nothing),
		cmocka_unit_test(test_attributes_are_whole_words),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
