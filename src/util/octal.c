/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/octal.h"

#include <glib.h>
#include <string.h>

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

char *octal_unescape(char *str)
{
	char *to = strchr(str, '\\');

	if (!to)
		return str;
	for (const char *from = to; *from;) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && is_octal(from[2]) &&
		    is_octal(from[3])) {
			int value = (from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0');

			if (value) {
				*to++ = (char)value;
				from += 4;
				continue;
			}
		}
		*to++ = *from++;
	}
	*to = '\0';
	return str;
}

void octal_escape(struct text *t, const char *str)
{
	for (const char *c = str; *c; c++) {
		unsigned char byte = (unsigned char)*c;

		if (byte <= ' ' || byte == 0x7f || byte == '\\') {
			const char code[] = { '\\', (char)('0' + byte / 64),
					      (char)('0' + byte / 8 % 8), (char)('0' + byte % 8) };

			text_mem(t, code, sizeof(code));
		} else {
			text_mem(t, c, 1);
		}
	}
}

char *octal_escaped(const char *str)
{
	size_t size = 4 * strlen(str) + 1;
	char *buf = g_malloc(size);
	struct text t;

	text_init(&t, buf, size);
	octal_escape(&t, str);
	buf[t.len] = '\0';
	return buf;
}
