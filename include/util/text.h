/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A text that is written front to back into memory of somebody else (a snapshot, a buffer on the
 * stack): no allocation. What does not fit is dropped and remembered, see text_result().
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct text {
	char *buf; /* borrowed; not NUL-terminated */
	size_t len;
	size_t size;
	bool overflow;
};

void text_init(struct text *t, char *buf, size_t size);
void text_mem(struct text *t, const char *bytes, size_t len);
void text_str(struct text *t, const char *str);
void text_fill(struct text *t, char c, size_t n);
void text_u64(struct text *t, uint64_t v);

/* As printf's %*llu: @width columns at least, blanks on the left. */
void text_u64_width(struct text *t, uint64_t v, unsigned width);

/* Hundredths as "12.05". */
void text_centi(struct text *t, uint64_t hundredths);

/* 0, or -EFBIG when something did not fit. */
int text_result(const struct text *t);
