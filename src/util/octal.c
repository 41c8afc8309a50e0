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

static void put_code(struct text *t, unsigned char byte)
{
	const char code[] = { '\\', (char)('0' + byte / 64), (char)('0' + byte / 8 % 8),
			      (char)('0' + byte % 8) };

	text_mem(t, code, sizeof(code));
}

/* How long the character at @c is, if it may be shown, or 0: U+009B is to terminals like ESC [. */
static size_t shown_len(const char *c)
{
	gunichar u = g_utf8_get_char_validated(c, -1);

	if (u == (gunichar)-1 || u == (gunichar)-2 || u == ' ' || u == '\\' ||
	    !g_unichar_isprint(u))
		return 0;
	return (size_t)g_unichar_to_utf8(u, NULL);
}

void octal_escape(struct text *t, const char *str)
{
	for (const char *c = str; *c;) {
		size_t len = shown_len(c);

		if (len)
			text_mem(t, c, len);
		else
			put_code(t, (unsigned char)*c);
		c += MAX(len, 1);
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
