/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Numbers as docker's flags have them. */
#include <stdbool.h>
#include <stdint.h>

/*
 * "256m", "1.5g", "4096", "10kb": bytes. Units are b, k, m, g, t, of 1024, in either case, a "b"
 * or "ib" may follow. False for anything else and what is above INT64_MAX.
 */
bool size_parse(const char *text, uint64_t *ret);

/* "1.5" with at most six digits behind the point, in millionths; false as above. */
bool size_parse_millionths(const char *text, uint64_t *ret);
