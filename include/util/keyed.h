/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Parse "key value" text (memory.stat, meminfo, cpu.stat, …) into struct fields by table. */
#include <stddef.h>
#include <stdint.h>

/* A key and its length, which tells most others apart at once. */
struct key {
	const char *str;
	size_t len;
};

#define KEY(literal)                                                                               \
	{                                                                                          \
		.str = (literal), .len = sizeof(literal) - 1                                       \
	}

struct keyed_field {
	struct key key; /* whole: "file" never matches "file_mapped" */
	size_t offset;  /* offsetof() a uint64_t in the target struct */
};

/*
 * Fill the uint64_t fields of @target named by @fields from @text, whose lines are
 * "key<sep>value" with blanks around the value as they come. Unknown keys are skipped, absent keys
 * leave the field untouched. Fastest when @fields stand in the order of the text.
 *
 * Returns 0, or -EBADMSG when a known key has a value that is not a number.
 */
int keyed_parse(const char *text, char sep, const struct keyed_field *fields, size_t n_fields,
		void *target);

/*
 * The row among @n rows of @stride bytes, each beginning with a `struct key`, whose key is the
 * @len bytes at @key. *@cursor is the row to try first: texts of the kernel keep their order, so
 * the next key is nearly always the next row. Returns the index or @n.
 */
size_t keyed_find(const void *rows, size_t stride, size_t n, const char *key, size_t len,
		  size_t *cursor);
