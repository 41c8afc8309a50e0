/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/size.h"

#include <string.h>
#include <strings.h>

#include "util/num.h"

#define MILLION 1000000u

/* Digits, and up to six more behind a point. */
static bool take_millionths(const char **text, uint64_t *ret_whole, uint64_t *ret_millionths)
{
	uint64_t unit = MILLION / 10, fraction = 0;
	const char *p = *text;

	if (!num_take(&p, ret_whole))
		return false;
	if (*p == '.') {
		const char *first = ++p;

		for (; *p >= '0' && *p <= '9'; p++, unit /= 10)
			fraction += (uint64_t)(*p - '0') * unit;
		if (p == first || p - first > 6)
			return false;
	}
	*ret_millionths = fraction;
	*text = p;
	return true;
}

bool size_parse_millionths(const char *text, uint64_t *ret)
{
	uint64_t whole, fraction, sum;

	if (!take_millionths(&text, &whole, &fraction) || *text ||
	    __builtin_mul_overflow(whole, MILLION, &sum) ||
	    __builtin_add_overflow(sum, fraction, &sum) || sum > INT64_MAX)
		return false;
	*ret = sum;
	return true;
}

/* The power of 1024 that @unit stands for, or -1. */
static int power_of(const char *unit)
{
	static const char letters[] = "bkmgt";
	const char *letter;

	if (!*unit)
		return 0;
	letter = strchr(letters, *unit | 0x20);
	if (!letter)
		return -1;
	unit++;
	if (*unit && letter != letters && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "ib") != 0)
		return -1;
	return *unit && letter == letters ? -1 : (int)(letter - letters);
}

bool size_parse(const char *text, uint64_t *ret)
{
	uint64_t whole, fraction, sum, unit;
	int power;

	if (!take_millionths(&text, &whole, &fraction))
		return false;
	power = power_of(text);
	if (power < 0)
		return false;
	unit = UINT64_C(1) << (10 * power);
	/* 2^40 times a million is less than 2^60. */
	if (__builtin_mul_overflow(whole, unit, &sum) ||
	    __builtin_add_overflow(sum, unit * fraction / MILLION, &sum) || sum > INT64_MAX)
		return false;
	*ret = sum;
	return true;
}
