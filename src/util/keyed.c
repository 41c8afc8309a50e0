/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/keyed.h"

#include <errno.h>
#include <string.h>

#include "util/num.h"

size_t keyed_find(const void *rows, size_t stride, size_t n, const char *key, size_t len,
		  size_t *cursor)
{
	const char *first = rows, *end = first + n * stride, *row = first + *cursor * stride;

	for (size_t k = 0; k < n; k++) {
		struct key have;

		memcpy(&have, row, sizeof(have));
		row = row + stride < end ? row + stride : first;
		/* The first byte by itself: a call costs more. */
		if (have.len == len && have.str[0] == key[0] && memcmp(have.str, key, len) == 0) {
			*cursor = (size_t)(row - first) / stride;
			return *cursor ? *cursor - 1 : n - 1;
		}
	}
	return n;
}

int keyed_parse(const char *text, char sep, const struct keyed_field *fields, size_t n_fields,
		void *target)
{
	size_t cursor = 0;

	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n');
		const char *key_end = memchr(line, sep, (size_t)(end - line));
		size_t i = key_end ? keyed_find(fields, sizeof(*fields), n_fields, line,
						(size_t)(key_end - line), &cursor)
				   : n_fields;

		if (i < n_fields) {
			const char *value = key_end + 1;
			uint64_t v;

			if (!num_take_field(&value, &v) || (*value && !strchr(" \t\n", *value)))
				return -EBADMSG;
			memcpy((char *)target + fields[i].offset, &v, sizeof(v));
		}
		line = *end ? end + 1 : end;
	}
	return 0;
}
