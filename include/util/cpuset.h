/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Sets of cpu (or memory node) numbers in the kernel's list format ("0-3,8"). */
#include <stdbool.h>
#include <stdint.h>

#include "util/text.h"

/* The kernel's own maximum for CONFIG_NR_CPUS (x86, MAXSMP). */
#define CPUSET_MAX 8192u

struct cpuset {
	unsigned end; /* one above the highest member, 0 when empty */
	uint64_t bits[CPUSET_MAX / 64];
};

void cpuset_clear(struct cpuset *set);
void cpuset_add(struct cpuset *set, unsigned cpu);
bool cpuset_has(const struct cpuset *set, unsigned cpu);
unsigned cpuset_count(const struct cpuset *set);
bool cpuset_equal(const struct cpuset *a, const struct cpuset *b);

/*
 * The first member that is >= @from, or CPUSET_MAX: for (c = next(s, 0); c < MAX; c = next(s, c +
 * 1))
 */
unsigned cpuset_next(const struct cpuset *set, unsigned from);

/* Keep only what is in @other too. */
void cpuset_intersect(struct cpuset *set, const struct cpuset *other);

/* Keep only the first @n members. */
void cpuset_keep_first(struct cpuset *set, unsigned n);

/* @list is "0-3,8\n" or empty. Returns 0, or -EBADMSG (then *@ret is unchanged). */
int cpuset_parse(const char *list, struct cpuset *ret);

/* Append "0-3,8", without a newline. */
void cpuset_format(const struct cpuset *set, struct text *out);
