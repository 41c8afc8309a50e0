/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/text.h"

#include <errno.h>
#include <string.h>

/* The digits of UINT64_MAX. */
#define MAX_DIGITS 20

void text_init(struct text *t, char *buf, size_t size)
{
	*t = (struct text){ .buf = buf, .size = size };
}

void text_mem(struct text *t, const char *bytes, size_t len)
{
	if (len > t->size - t->len) {
		t->overflow = true;
		return;
	}
	memcpy(t->buf + t->len, bytes, len);
	t->len += len;
}

void text_str(struct text *t, const char *str)
{
	text_mem(t, str, strlen(str));
}

void text_fill(struct text *t, char c, size_t n)
{
	if (n > t->size - t->len) {
		t->overflow = true;
		return;
	}
	memset(t->buf + t->len, c, n);
	t->len += n;
}

void text_u64(struct text *t, uint64_t v)
{
	text_u64_width(t, v, 0);
}

void text_u64_width(struct text *t, uint64_t v, unsigned width)
{
	char digits[MAX_DIGITS];
	unsigned n = 0;

	do
		digits[MAX_DIGITS - ++n] = (char)('0' + v % 10);
	while (v /= 10);
	if (n < width)
		text_fill(t, ' ', width - n);
	text_mem(t, digits + MAX_DIGITS - n, n);
}

void text_centi(struct text *t, uint64_t hundredths)
{
	const char point[] = { '.', (char)('0' + hundredths / 10 % 10),
			       (char)('0' + hundredths % 10) };

	text_u64(t, hundredths / 100);
	text_mem(t, point, sizeof(point));
}

int text_result(const struct text *t)
{
	return t->overflow ? -EFBIG : 0;
}
