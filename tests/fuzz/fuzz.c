/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What others give us to read, as a target of libFuzzer: the first byte says who reads the rest.
 * What is refused, is so with a sentence on one line; what is changed, is so as was promised.
 */
#include "fuzz.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/instance.h"
#include "daemon/control.h"
#include "hooks/config.h"
#include "hooks/oci.h"
#include "install/ways.h"
#include "util/jsontext.h"

#define HOOK "{\"path\":\"/usr/bin/" CONFIG_HOOK "\"}"

/* @text has @len bytes and a NUL behind them; the byte after that is nobody's. */
typedef void feed_fn(const char *text, size_t len);

static void check_sentence(bool ok, const GError *error)
{
	g_assert_true(ok == !error);
	if (!error)
		return;
	g_assert_true(*error->message);
	g_assert_true(g_utf8_validate(error->message, -1, NULL));
	for (const char *c = error->message; *c; c++)
		g_assert_false(g_ascii_iscntrl(*c));
}

/* No name leads out of the folder where files are served. */
static void check_wish(const struct oci_wish *wish)
{
	for (char **name = wish->files; name && *name; name++) {
		g_assert_true(**name && **name != '/');
		g_assert_null(strstr(*name, ".."));
	}
}

static void feed_state(const char *text, size_t len)
{
	AUTO_OCI_STATE struct oci_state state = { 0 };
	g_autoptr(GError) error = NULL;
	bool ok = oci_state_parse(text, len, &state, &error);

	check_sentence(ok, error);
	check_wish(&state.wish);
	g_assert_true(state.pid >= 0 && state.pid <= OCI_PID_MAX);
	g_assert_true(ok ? *state.bundle == '/' : !state.bundle);
	g_assert_true(!state.root || *state.root);
}

static void feed_config(const char *text, size_t len)
{
	AUTO_OCI_CONFIG struct oci_config config = { 0 };
	g_autoptr(GError) error = NULL;
	bool ok = oci_config_parse(text, len, &config, &error);

	check_sentence(ok, error);
	check_wish(&config.wish);
	g_assert_true(ok ? *config.root : !config.root);
}

static bool is_same_list(char **a, char **b)
{
	return !a || !b ? a == b : g_strv_equal((const char *const *)a, (const char *const *)b);
}

/* Whoever reads the config sees no more than a hook that was not there. */
static void check_readers(const char *before, size_t len, const char *after)
{
	AUTO_OCI_CONFIG struct oci_config old = { 0 }, new = { 0 };
	bool ok = oci_config_parse(before, len, &old, NULL);

	g_assert_true(oci_config_parse(after, strlen(after), &new, NULL) == ok);
	g_assert_cmpstr(old.root, ==, new.root);
	g_assert_true(old.wish.off == new.wish.off);
	g_assert_true(is_same_list(old.wish.files, new.wish.files));
}

/* Byte for byte, but in one place, where a "null" may go, and the blanks of what had no member. */
static void check_one_change(const char *before, size_t len, const char *after)
{
	size_t start = 0, end = 0, size = strlen(after), both = MIN(len, size);

	while (start < both && before[start] == after[start])
		start++;
	while (end < both - start && before[len - 1 - end] == after[size - 1 - end])
		end++;
	g_assert_true(start + end + strlen("null") >= len ||
		      start + strspn(before + start, " \t\r\n") >= len - end);
}

/* The runtime's change of the bundle. */
static void feed_edit(const char *text, size_t len)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *after = NULL, *again = NULL;
	struct json_span whole;
	bool ok = config_add(text, len, HOOK, &after, &error);

	check_sentence(ok, error);
	if (!after)
		return;
	g_assert_true(ok);
	g_assert_true(jsontext_check(after, strlen(after), &whole, NULL));
	g_assert_nonnull(strstr(after, HOOK));
	check_one_change(text, len, after);
	check_readers(text, len, after);
	g_assert_true(config_add(after, strlen(after), HOOK, &again, NULL));
	g_assert_null(again);
}

static char *without_blanks(const char *text)
{
	char *left = g_strdup(text), *to = left;

	for (const char *from = left; *from; from++)
		if (!strchr(" \t\r\n", *from))
			*to++ = *from;
	*to = '\0';
	return left;
}

/* In, and out again. */
static void check_docker(const char *base, bool make_default)
{
	const struct way_options options = { .mountpoint = DEFAULT_MOUNTPOINT,
					     .make_default = make_default };
	g_autoptr(GError) error = NULL;
	g_autofree char *after = docker_add(base, &options, &error);
	g_autofree char *again = NULL, *undone = NULL, *was = NULL, *is = NULL;
	struct json_span whole;

	check_sentence(after, error);
	if (!after)
		return;
	g_assert_true(jsontext_check(after, strlen(after), &whole, NULL));
	g_assert_true(!make_default || docker_makes_default(after));
	again = docker_add(after, &options, NULL);
	g_assert_cmpstr(again, ==, after);
	undone = docker_strip(after, base, NULL);
	g_assert_nonnull(undone);
	/* A default by our name, of before us, was nobody: dockerd would not start with it. */
	if (docker_makes_default(base))
		return;
	was = without_blanks(base);
	is = without_blanks(undone);
	g_assert_cmpstr(is, ==, *was ? was : "{}");
}

/* A daemon.json; behind a NUL, what it is said to have been before us. */
static void feed_docker(const char *text, size_t len)
{
	size_t n = strlen(text);
	const char *original = n < len ? text + n + 1 : NULL;
	g_autoptr(GError) error = NULL;
	g_autofree char *left = docker_strip(text, original, &error);
	g_autofree char *base = docker_strip(text, NULL, NULL);
	g_autofree char *part = docker_part(text);
	struct json_span whole;

	check_sentence(left, error);
	g_assert_true(!part || jsontext_check(part, strlen(part), &whole, NULL));
	(void)docker_has_arguments(text);
	check_docker(text, false);
	if (!base || docker_makes_default(base))
		return;
	check_docker(base, false);
	check_docker(base, true);
}

static void feed_containerd(const char *text, size_t len)
{
	const struct way_options options = { .mountpoint = DEFAULT_MOUNTPOINT };
	g_autoptr(GError) error = NULL, trouble = NULL;
	g_autofree char *left = containerd_strip(text, NULL, &trouble);
	g_autofree char *after = containerd_add(text, &options, &error);
	g_autofree char *undone = after ? containerd_strip(after, text, NULL) : NULL;
	g_autofree char *part = containerd_part(text);

	(void)len;
	check_sentence(left, trouble);
	check_sentence(after, error);
	(void)containerd_idle(text);
	/* An operator's own stays. */
	g_assert_true(!after || !part || strcmp(after, text) == 0);
	if (!after || part)
		return;
	g_assert_nonnull(undone);
	g_assert_true(g_str_has_prefix(undone, text));
	g_assert_true(g_str_equal(undone + strlen(text), "") ||
		      g_str_equal(undone + strlen(text), "\n"));
}

/* A message has no NUL behind it. */
static void feed_control(const char *text, size_t len)
{
	char *bytes = malloc(len ? len : 1);
	size_t n = len && text[len - 1] == '\n' ? len - 1 : len;
	bool known = n == strlen("status") && memcmp(text, "status", n) == 0;

	g_assert_nonnull(bytes);
	memcpy(bytes, text, len);
	g_assert_true((control_parse(bytes, len) == CONTROL_STATUS) == known);
	free(bytes);
}

static const struct {
	uint8_t letter;
	feed_fn *feed;
} readers[] = {
	{ .letter = 's', .feed = feed_state },      { .letter = 'c', .feed = feed_config },
	{ .letter = 'e', .feed = feed_edit },       { .letter = 'd', .feed = feed_docker },
	{ .letter = 't', .feed = feed_containerd }, { .letter = 'r', .feed = feed_control },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? malloc(size) : NULL;

	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
		if (readers[i].letter == data[0])
			readers[i].feed(text, size - 1);
	free(text);
	return 0;
}
