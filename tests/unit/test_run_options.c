/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/options.h"

#include "fixture.h"
#include "run/fail.h"
#include "run/values.h"

/* NULL when it is refused: then there is one line of a sentence, and 125. */
static struct spec *parse(const char *line)
{
	g_auto(GStrv) words = g_strsplit(line, " ", -1);
	g_autoptr(GError) error = NULL;
	struct spec *spec = NULL;

	if (options_parse(words, &spec, &error))
		return spec;
	assert_null(spec);
	assert_non_null(error);
	assert_true(strlen(error->message) > 0 && !strchr(error->message, '\n'));
	return NULL;
}

static void assert_refused(const char *line)
{
	AUTO_SPEC struct spec *spec = parse(line);

	assert_null(spec);
}

static void test_defaults(void **state)
{
	AUTO_SPEC struct spec *s = parse("--rootfs / true");

	(void)state;
	assert_non_null(s);
	assert_true(values_is_name(s->name));
	assert_string_equal(s->hostname, s->name);
	assert_string_equal(s->workdir, "/");
	assert_true(s->init && s->bind_lxcfs && !s->detach && !s->tty && !s->userns);
	assert_true(s->limits.memory == CG_LIMIT_UNSET && s->limits.pids == CG_LIMIT_UNSET);
	assert_int_equal(s->network.kind, SPEC_NET_NONE);
	assert_int_equal(s->command->len, 1);
}

static void test_all_ways_to_write_a_flag(void **state)
{
	AUTO_SPEC struct spec *s = parse("-dt --rm -m=256m --cpus=1.5 --name x-1 -u 5:6 -e=A=b=c "
					 "--rootfs /,/tmp --no-init -- -sh -c --rm");

	(void)state;
	assert_non_null(s);
	assert_true(s->detach && s->tty && s->remove && !s->init && !s->interactive);
	assert_true(s->limits.memory == 256u << 20 && s->limits.cpu_quota == 150000);
	assert_string_equal(s->name, "x-1");
	assert_string_equal(s->user, "5:6");
	assert_string_equal(s->env->pdata[0], "A=b=c");
	assert_int_equal(s->layers->len, 2);
	assert_string_equal(s->layers->pdata[1], "/tmp");
	assert_int_equal(s->command->len, 3);
	assert_string_equal(s->command->pdata[0], "-sh");
	assert_string_equal(s->command->pdata[2], "--rm");
}

static void test_letters_with_their_value(void **state)
{
	AUTO_SPEC struct spec *s = parse("--rootfs / -m256m -w/a -it -uapp true");

	(void)state;
	assert_non_null(s);
	assert_true(s->limits.memory == 256u << 20 && s->interactive && s->tty);
	assert_string_equal(s->workdir, "/a");
	assert_string_equal(s->user, "app");
}

static void test_flags_end_at_the_command(void **state)
{
	AUTO_SPEC struct spec *s = parse("--rootfs / sh -c --memory 4");

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->command->len, 4);
	assert_true(s->limits.memory == CG_LIMIT_UNSET);
}

static void test_the_last_one_counts(void **state)
{
	AUTO_SPEC struct spec *s =
		parse("--rootfs / --name a --name b -m 8m -m 9m -w /a -w /b/../c true");

	(void)state;
	assert_non_null(s);
	assert_string_equal(s->name, "b");
	assert_true(s->limits.memory == 9u << 20);
	assert_string_equal(s->workdir, "/c");
}

static void test_mounts_keep_their_order(void **state)
{
	AUTO_SPEC struct spec *s =
		parse("--rootfs / -v /tmp:/a --tmpfs /a/b -v /tmp:/a/c:ro --read-only true");
	const struct spec_mount *m;

	(void)state;
	assert_non_null(s);
	assert_int_equal(s->mounts->len, 3);
	m = (const struct spec_mount *)(void *)s->mounts->data;
	assert_true(m[0].source && !m[0].read_only && !m[1].source && m[2].read_only);
	assert_string_equal(m[1].target, "/a/b");
}

static void test_limits(void **state)
{
	AUTO_SPEC struct spec *s =
		parse("--rootfs / -m 1g --memory-swap -1 --cpus 0.01 --cpu-shares 2 --cpuset-cpus "
		      "0-3,8 --cpuset-mems 0 --pids-limit -1 --ulimit nofile=1:unlimited true");
	struct spec_rlimit r;

	(void)state;
	assert_non_null(s);
	assert_true(s->limits.memory_swap == CG_LIMIT_NONE && s->limits.pids == CG_LIMIT_NONE);
	assert_int_equal(s->limits.cpu_quota, 1000);
	assert_string_equal(s->limits.cpuset_cpus, "0-3,8");
	assert_true(values_parse_ulimit(s->ulimits->pdata[0], &r, NULL));
	assert_true(r.resource == RLIMIT_NOFILE && r.limit.rlim_cur == 1 &&
		    r.limit.rlim_max == RLIM_INFINITY);
}

static void test_device_has_path_and_access(void **state)
{
	AUTO_SPEC struct spec *s = parse("--rootfs / --device /dev/null:/dev/x:rm true");
	const struct spec_device *d;

	(void)state;
	assert_non_null(s);
	d = (const struct spec_device *)(void *)s->devices->data;
	assert_string_equal(d->host, "/dev/null");
	assert_string_equal(d->path, "/dev/x");
	assert_int_equal(d->access, SPEC_DEVICE_READ | SPEC_DEVICE_MKNOD);
	assert_true((d->mode & S_IFMT) == S_IFCHR && d->major == 1 && d->minor == 3);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"true",
		"--rootfs /",
		"--rootfs / --",
		"--rootfs /nonexistent true",
		"--rootfs / -m -5 true",
		"--rootfs / -m 1e9g true",
		"--rootfs / --memory= true",
		"--rootfs / -m 4k true",
		"--rootfs / -m 64m --memory-swap 32m true",
		"--rootfs / --memory-swap 64m true",
		"--rootfs / --cpus 0 true",
		"--rootfs / --cpuset-cpus , true",
		"--rootfs / --name ../x true",
		"--rootfs / --name .x true",
		"--rootfs / --hostname a/b true",
		"--rootfs / --rm=1 true",
		"--rootfs / -w x true",
		"--rootfs / -v /tmp:/ true",
		"--rootfs / -v /tmp true",
		"--rootfs / --tmpfs / true",
		"--rootfs / --device /dev/null:/x: true",
		"--rootfs / --device-read-bps /dev/null:1m true",
		"--rootfs / --ulimit nofile=5:3 true",
		"--rootfs / --userns auto --net host true",
		"--rootfs / --uts other true",
		"--rootfs / --hostname x --uts host true",
		"--rootfs / --ip 10.0.0.1 true",
		"--rootfs / --nope true",
		"--rootfs / -Z true",
		"--rootfs",
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
		assert_refused(bad[i]);
}

static void test_names(void **state)
{
	g_autofree char *longest = g_strnfill(63, 'x'), *too_long = g_strnfill(64, 'x');

	(void)state;
	assert_true(values_is_name("a") && values_is_name("A.b_c-9") && values_is_name(longest));
	assert_false(values_is_name("") || values_is_name(".") || values_is_name("-a") ||
		     values_is_name("a/b") || values_is_name("a b") || values_is_name("\xc3\xa4") ||
		     values_is_name(too_long));
}

static void feed(const char *text, void *data)
{
	g_autofree char *line = g_strdup(text);
	char *words[] = { (char *)"--rootfs", (char *)"/", line, (char *)"x", NULL };
	g_autoptr(GError) error = NULL;
	struct spec *spec = NULL;

	(void)data;
	if (options_parse(words, &spec, &error))
		spec_free(spec);
}

static void test_hostile_words(void **state)
{
	(void)state;
	feed_hostile("--device=/dev/null:/dev/x:rwm", feed, NULL);
	feed_hostile("--volume=/tmp:/x:ro", feed, NULL);
	feed_hostile("--ulimit=nofile=1:2", feed, NULL);
	feed_hostile("--net=bridge:name,nat", feed, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_ways_to_write_a_flag),
		cmocka_unit_test(test_letters_with_their_value),
		cmocka_unit_test(test_flags_end_at_the_command),
		cmocka_unit_test(test_the_last_one_counts),
		cmocka_unit_test(test_mounts_keep_their_order),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_device_has_path_and_access),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_hostile_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
