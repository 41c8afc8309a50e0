/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Strict decimal numbers: digits and nothing else, no sign, no leading blanks, no overflow. */
#include <stdbool.h>
#include <stdint.h>

/*
 * Take the number at **@text and move *@text behind it. Returns false, and changes nothing, when
 * there is no digit or the number is above UINT64_MAX.
 */
bool num_take(const char **text, uint64_t *ret);

/* As num_take(), behind any blanks and tabs. */
bool num_take_field(const char **text, uint64_t *ret);

/* The whole of @text is one number, a newline may follow. */
bool num_parse(const char *text, uint64_t *ret);
