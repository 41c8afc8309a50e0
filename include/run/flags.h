/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Command lines by table: "--name VALUE", "--name=VALUE", "-nVALUE", "-n=VALUE", "-it"; strict. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

enum flag_kind {
	FLAG_TRUE,  /* sets a bool */
	FLAG_FALSE, /* clears one */
	FLAG_TEXT,  /* an owned text; the last one given counts */
	FLAG_PATH,  /* the same, absolute and normal: neither "." nor ".." nor "//" in it */
	FLAG_LIST,  /* appended to a GPtrArray of owned texts */
	FLAG_CALL,  /* what .set does */
};

struct flag {
	const char *name;
	char letter;       /* 0: none */
	const char *value; /* how the help calls it; NULL: takes none */
	enum flag_kind kind;
	size_t offset; /* of the field in the target */
	bool (*set)(void *target, const char *value, GError **error);
	const char *does; /* for the help */
};

/*
 * Parses @words, NULL-terminated, into @target up to the first that is no flag, or behind "--".
 * *@ret_rest, borrowed, is what follows. An error names the flag.
 */
bool flags_parse(const struct flag *flags, size_t n, char **words, void *target, char ***ret_rest,
		 GError **error);

/* What --help says of them on standard output. */
void flags_print(const struct flag *flags, size_t n);

/* The owned normal form of an absolute path, or NULL with @error. */
char *flags_absolute(const char *path, GError **error);
