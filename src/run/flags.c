/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/flags.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "run/fail.h"

/*
 * Of --help, which is to fit 24 lines of 80: more rows stand in two columns. What is longer than
 * its place shifts the rest of its column.
 */
#define LEFT_WIDTH   20
#define COLUMN_WIDTH 38
#define ROWS_MAX     22

char *flags_absolute(const char *path, GError **error)
{
	if (path[0] != '/') {
		run_fail(error, 0, "'%.64s' is no absolute path", path);
		return NULL;
	}
	if (strlen(path) >= PATH_MAX) {
		run_fail(error, 0, "the path is longer than %d bytes", PATH_MAX - 1);
		return NULL;
	}
	return g_canonicalize_filename(path, "/");
}

static bool set_text(char **field, char *text)
{
	if (!text)
		return false;
	g_free(*field);
	*field = text;
	return true;
}

static bool apply(const struct flag *flag, void *target, const char *value, GError **error)
{
	void *field = (char *)target + flag->offset;

	if (value && !*value)
		return run_fail(error, 0, "the value is empty");
	switch (flag->kind) {
	case FLAG_TRUE:
	case FLAG_FALSE:
		*(bool *)field = flag->kind == FLAG_TRUE;
		return true;
	case FLAG_TEXT:
		return set_text(field, g_strdup(value));
	case FLAG_PATH:
		return value && set_text(field, flags_absolute(value, error));
	case FLAG_LIST:
		g_ptr_array_add(*(GPtrArray **)field, g_strdup(value));
		return true;
	case FLAG_CALL:
		break;
	}
	return flag->set(target, value, error);
}

static const struct flag *find_long(const struct flag *flags, size_t n, const char *name,
				    size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(flags[i].name) == len && strncmp(flags[i].name, name, len) == 0)
			return &flags[i];
	return NULL;
}

static const struct flag *find_letter(const struct flag *flags, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++)
		if (flags[i].letter && flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

/* @value is what stands in the same word, or NULL: then it is the next word, if one is needed. */
static bool take(const struct flag *flag, char ***words, const char *value, void *target,
		 GError **error)
{
	if (flag->value && !value) {
		value = (*words)[1];
		if (!value)
			return run_fail(error, 0, "--%s needs a value (%s)", flag->name,
					flag->value);
		(*words)++;
	}
	if (!flag->value && value)
		return run_fail(error, 0, "--%s takes no value", flag->name);
	if (apply(flag, target, value, error))
		return true;
	g_prefix_error(error, "--%s: ", flag->name);
	return false;
}

static bool take_long(const struct flag *flags, size_t n, char ***words, void *target,
		      GError **error)
{
	const char *name = **words + 2;
	size_t len = strcspn(name, "=");
	const struct flag *flag = find_long(flags, n, name, len);

	if (!flag)
		return run_fail(error, 0, "there is no option '--%.*s' (see --help)",
				(int)MIN(len, 64), name);
	return take(flag, words, name[len] ? name + len + 1 : NULL, target, error);
}

static bool take_letters(const struct flag *flags, size_t n, char ***words, void *target,
			 GError **error)
{
	for (const char *p = **words + 1; *p; p++) {
		const struct flag *flag = find_letter(flags, n, *p);

		if (!flag)
			return run_fail(error, 0, "there is no option '-%c' (see --help)", *p);
		if (flag->value)
			return take(flag, words, p[1] ? p + 1 + (p[1] == '=') : NULL, target,
				    error);
		if (!take(flag, words, NULL, target, error))
			return false;
	}
	return true;
}

bool flags_parse(const struct flag *flags, size_t n, char **words, void *target, char ***ret_rest,
		 GError **error)
{
	for (; *words && **words == '-' && (*words)[1]; words++) {
		bool is_long = (*words)[1] == '-';

		if (is_long && !(*words)[2]) {
			words++;
			break;
		}
		if (!(is_long ? take_long : take_letters)(flags, n, &words, target, error))
			return false;
	}
	*ret_rest = words;
	return true;
}

/* A flag, its value, what it does; owned. */
static char *describe(const struct flag *f)
{
	char letter[] = { '-', f->letter, ',', ' ', '\0' };
	g_autofree char *left = g_strdup_printf("%s--%s%s%s", f->letter ? letter : "", f->name,
						f->value ? " " : "", f->value ? f->value : "");

	return g_strdup_printf("%-*s %s", LEFT_WIDTH, left, f->does);
}

void flags_print(const struct flag *flags, size_t n)
{
	size_t rows = n > ROWS_MAX ? (n + 1) / 2 : n;

	for (size_t i = 0; i < rows; i++) {
		g_autofree char *first = describe(&flags[i]);
		g_autofree char *second = i + rows < n ? describe(&flags[i + rows]) : NULL;

		printf("%-*s%s%s\n", second ? COLUMN_WIDTH : 0, first, second ? "  " : "",
		       second ? second : "");
	}
}
