/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Bytes as "\040", the way that the kernel's tables and our own lines have what would split them.
 */
#include "util/text.h"

/* Undo it in place, \000 excepted: what is no escape stays as it is. Returns @str. */
char *octal_unescape(char *str);

/*
 * Append @str with its blanks, backslashes and what cannot be printed escaped: one word of one
 * line.
 */
void octal_escape(struct text *t, const char *str);

/* The same as an owned text. */
char *octal_escaped(const char *str);
