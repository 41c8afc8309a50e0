/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * JSON where it stands: a text is checked once, strictly, and then gone through in place, so that a
 * part can be put into it and all the rest stays as it is, byte for byte. (A parser's tree does not
 * do: it loses what it has no type for, numbers above INT64_MAX say.)
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Deeper texts are refused: parsers of trees go as deep on the stack. */
#define SCAN_DEPTH_MAX 64u

/* The text of one value, without blanks around it; borrowed. */
struct scan {
	const char *at;
	size_t len;
};

/*
 * The one value that @text is, in *@ret; nothing but blanks around it (RFC 8259, UTF-8). Returns
 * false and a sentence otherwise.
 */
bool scan_open(const char *text, size_t len, struct scan *ret, GError **error);

/* What follows is for values that scan_open() gave, and for their parts. */

bool scan_is_object(struct scan value);
bool scan_is_array(struct scan value);
bool scan_is_null(struct scan value);
/* An object or array without anything in it. */
bool scan_is_empty(struct scan value);

/*
 * How many members of the object are called @name, which must need no escapes; the first in *@ret if
 * there is one. A name that is written with escapes is not found.
 */
unsigned scan_member(struct scan object, const char *name, struct scan *ret);

/* The element behind *@element, which begins as { NULL, 0 }; false at the array's end. */
bool scan_next(struct scan array, struct scan *element);

/* The last name of the path that the string is: "\"/usr/bin/runc\"" is "runc". */
bool scan_names(struct scan string, const char *name);
