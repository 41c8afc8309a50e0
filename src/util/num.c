/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/num.h"

bool num_take(const char **text, uint64_t *ret)
{
	const char *p = *text;
	uint64_t v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*text = p;
	*ret = v;
	return true;
}

bool num_take_field(const char **text, uint64_t *ret)
{
	const char *p = *text;

	while (*p == ' ' || *p == '\t')
		p++;
	if (!num_take(&p, ret))
		return false;
	*text = p;
	return true;
}

bool num_parse(const char *text, uint64_t *ret)
{
	uint64_t v;

	if (!num_take(&text, &v))
		return false;
	if (*text == '\n')
		text++;
	if (*text)
		return false;
	*ret = v;
	return true;
}
