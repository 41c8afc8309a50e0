/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Whether a text is whole, and follows from what the same file said before. */
#include <stddef.h>
#include <stdint.h>

#define CHECK_MAX_CPUS 256
#define CHECK_FIELDS   10

/* What a file said last; zeroed at the start. */
struct past {
	char last_key[32];
	double uptime[2];
	uint64_t cpu[CHECK_MAX_CPUS + 1][CHECK_FIELDS];
};

/* @text is NUL-terminated. Returns NULL, or what is wrong with it (valid until the next call). */
const char *check_text(struct past *past, const char *name, const char *text, size_t len,
		       uint64_t total_kb);
