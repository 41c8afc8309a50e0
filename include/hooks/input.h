/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Texts of others', of bounded length and within bounded time. */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#define INPUT_MAX ((size_t)8 << 20)

struct input {
	char *text; /* owned; a NUL behind it */
	size_t len;
};

/*
 * All of @fd. False and a sentence when it has more than @max bytes, or no end within @timeout_ms.
 */
bool input_read(int fd, size_t max, unsigned timeout_ms, struct input *ret, GError **error);

/* The regular file @path below @dir, of INPUT_MAX bytes at most. */
bool input_file(int dir, const char *path, struct input *ret, GError **error);

void input_clear(struct input *input);
#define AUTO_INPUT __attribute__((cleanup(input_clear)))
