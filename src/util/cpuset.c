/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/cpuset.h"

#include <errno.h>
#include <string.h>

#include "util/num.h"

/* Only the words below .end are defined: a set of few cpus costs few words. */
static unsigned words(unsigned end)
{
	return (end + 63) / 64;
}

static void shrink(struct cpuset *set)
{
	unsigned n = words(set->end);

	while (n > 0 && set->bits[n - 1] == 0)
		n--;
	set->end = n ? n * 64 - (unsigned)__builtin_clzll(set->bits[n - 1]) : 0;
}

void cpuset_clear(struct cpuset *set)
{
	set->end = 0;
}

void cpuset_add(struct cpuset *set, unsigned cpu)
{
	if (cpu >= set->end) {
		memset(&set->bits[words(set->end)], 0,
		       (words(cpu + 1) - words(set->end)) * sizeof(set->bits[0]));
		set->end = cpu + 1;
	}
	set->bits[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

bool cpuset_has(const struct cpuset *set, unsigned cpu)
{
	return cpu < set->end && (set->bits[cpu / 64] >> (cpu % 64) & 1);
}

unsigned cpuset_count(const struct cpuset *set)
{
	unsigned n = 0;

	for (unsigned i = 0; i < words(set->end); i++)
		n += (unsigned)__builtin_popcountll(set->bits[i]);
	return n;
}

bool cpuset_equal(const struct cpuset *a, const struct cpuset *b)
{
	return a->end == b->end &&
	       memcmp(a->bits, b->bits, words(a->end) * sizeof(a->bits[0])) == 0;
}

unsigned cpuset_next(const struct cpuset *set, unsigned from)
{
	for (unsigned i = from / 64; i < words(set->end); i++) {
		uint64_t w = set->bits[i];

		if (i == from / 64)
			w &= ~UINT64_C(0) << (from % 64);
		if (w)
			return i * 64 + (unsigned)__builtin_ctzll(w);
	}
	return CPUSET_MAX;
}

void cpuset_intersect(struct cpuset *set, const struct cpuset *other)
{
	if (other->end < set->end)
		set->end = words(other->end) * 64;
	for (unsigned i = 0; i < words(set->end); i++)
		set->bits[i] &= other->bits[i];
	shrink(set);
}

void cpuset_keep_first(struct cpuset *set, unsigned n)
{
	unsigned cpu = cpuset_next(set, 0);

	while (n > 0 && cpu < CPUSET_MAX) {
		n--;
		cpu = cpuset_next(set, cpu + 1);
	}
	for (; cpu < CPUSET_MAX; cpu = cpuset_next(set, cpu + 1))
		set->bits[cpu / 64] &= ~(UINT64_C(1) << (cpu % 64));
	shrink(set);
}

static bool take_range(const char **p, uint64_t *first, uint64_t *last)
{
	if (!num_take(p, first))
		return false;
	*last = *first;
	if (**p == '-') {
		(*p)++;
		if (!num_take(p, last))
			return false;
	}
	return *first <= *last && *last < CPUSET_MAX;
}

int cpuset_parse(const char *list, struct cpuset *ret)
{
	struct cpuset set;

	cpuset_clear(&set);
	for (const char *p = list; strcmp(p, "") != 0 && strcmp(p, "\n") != 0;) {
		uint64_t first, last;

		/* Behind a comma there is a range. */
		if (p != list && *p++ != ',')
			return -EBADMSG;
		if (!take_range(&p, &first, &last))
			return -EBADMSG;
		for (uint64_t c = first; c <= last; c++)
			cpuset_add(&set, (unsigned)c);
	}
	*ret = set;
	return 0;
}

void cpuset_format(const struct cpuset *set, struct text *out)
{
	const char *comma = "";

	for (unsigned a = cpuset_next(set, 0); a < CPUSET_MAX;) {
		unsigned b = a;

		while (cpuset_has(set, b + 1))
			b++;
		text_str(out, comma);
		text_u64(out, a);
		if (b > a) {
			text_str(out, "-");
			text_u64(out, b);
		}
		comma = ",";
		a = cpuset_next(set, b + 1);
	}
}
