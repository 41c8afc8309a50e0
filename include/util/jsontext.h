/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * JSON (RFC 8259) changed as a text: what is not changed stays byte for byte, blanks and order
 * included. A parser that builds a tree and prints it anew would lose both.
 */
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* A stretch of a text. A string's has its quotes, an object's its braces. */
struct json_span {
	size_t begin, end;
};

struct json_member {
	struct json_span key, value;
};

/* Deeper than any configuration; bounds the stack. */
#define JSONTEXT_DEPTH 100

/*
 * @text of @len bytes, which a NUL follows, is one value and *@ret where it is. Else false, with a
 * sentence in *@error that names line and column: "line 3, column 5: a comma or } is missing".
 * All below take a text for which this was true.
 */
bool jsontext_check(const char *text, size_t len, struct json_span *ret, GError **error);

/* An owned copy of the value without the blanks between its parts. */
char *jsontext_compact(const char *text, struct json_span value);

/* How the value is called in a sentence: "an object", "a string", … */
const char *jsontext_kind(const char *text, struct json_span value);

/* An owned array of struct json_member, in the order of the text. */
GArray *jsontext_members(const char *text, struct json_span object);

/* How many members of @object are called @key, escapes undone; the last one is *@ret. */
unsigned jsontext_find(const char *text, struct json_span object, const char *key,
		       struct json_member *ret);

/* An owned copy of the string @value without quotes and escapes. */
char *jsontext_string(const char *text, struct json_span value);

/*
 * An owned copy of @text, in which U+FFFD stands for each "\uXXXX" that is none: halves of pairs,
 * and NUL. Parsers do not agree on what these are.
 */
char *jsontext_of_characters(const char *text);

/* An owned JSON string of @plain, which is UTF-8. */
char *jsontext_quote(const char *plain);

/*
 * An owned text with one member more at the end of @object, which is in the value @root. It is laid
 * out as what is there: on a line of its own, or on that of the others. @value is JSON.
 */
char *jsontext_insert(const char *text, struct json_span root, struct json_span object,
		      const char *key, const char *value);

/* An owned text without the member of @object that begins at @key.begin. Undoes jsontext_insert(),
 * but for blanks in an object that had no member. */
char *jsontext_remove(const char *text, struct json_span object, const struct json_member *member);

/* An owned text with @value, which is JSON, in the place of @span. */
char *jsontext_replace(const char *text, struct json_span span, const char *value);
