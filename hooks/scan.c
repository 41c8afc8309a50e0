/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/scan.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

static bool skip_value(struct cursor *c, unsigned depth);

static char peek(const struct cursor *c)
{
	return c->at < c->end ? *c->at : '\0';
}

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && strchr(" \t\r\n", *c->at))
		c->at++;
}

/* The character itself, with blanks around it. */
static bool take(struct cursor *c, char wanted)
{
	skip_blanks(c);
	if (peek(c) != wanted)
		return false;
	c->at++;
	skip_blanks(c);
	return true;
}

static bool skip_word(struct cursor *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->at) < len || memcmp(c->at, word, len) != 0)
		return false;
	c->at += len;
	return true;
}

static bool skip_digits(struct cursor *c)
{
	const char *start = c->at;

	while (g_ascii_isdigit(peek(c)))
		c->at++;
	return c->at > start;
}

static bool skip_number(struct cursor *c)
{
	if (peek(c) == '-')
		c->at++;
	if (peek(c) == '0')
		c->at++;
	else if (!skip_digits(c))
		return false;
	if (peek(c) == '.') {
		c->at++;
		if (!skip_digits(c))
			return false;
	}
	if (peek(c) != 'e' && peek(c) != 'E')
		return true;
	c->at++;
	if (peek(c) == '+' || peek(c) == '-')
		c->at++;
	return skip_digits(c);
}

/* Behind the backslash. */
static bool skip_escape(struct cursor *c)
{
	char kind = peek(c);

	if (kind == '\0' || !strchr("\"\\/bfnrtu", kind))
		return false;
	c->at++;
	for (unsigned i = 0; kind == 'u' && i < 4; i++, c->at++)
		if (!g_ascii_isxdigit(peek(c)))
			return false;
	return true;
}

static bool skip_string(struct cursor *c)
{
	if (peek(c) != '"')
		return false;
	for (c->at++; c->at < c->end && *c->at != '"';) {
		if ((unsigned char)*c->at < ' ')
			return false;
		if (*c->at++ == '\\' && !skip_escape(c))
			return false;
	}
	return peek(c) == '"' && c->at++;
}

/* From the bracket on: "[1, 2]" or "{"a": 1}". */
static bool skip_parts(struct cursor *c, bool named, unsigned depth)
{
	char close = named ? '}' : ']';

	c->at++;
	skip_blanks(c);
	if (peek(c) == close)
		return c->at++;
	do {
		if (named && (!skip_string(c) || !take(c, ':')))
			return false;
		if (!skip_value(c, depth + 1))
			return false;
	} while (take(c, ','));
	return peek(c) == close && c->at++;
}

static bool skip_value(struct cursor *c, unsigned depth)
{
	switch (depth > SCAN_DEPTH_MAX ? '\0' : peek(c)) {
	case '\0':
		return false;
	case '{':
		return skip_parts(c, true, depth);
	case '[':
		return skip_parts(c, false, depth);
	case '"':
		return skip_string(c);
	case 't':
		return skip_word(c, "true");
	case 'f':
		return skip_word(c, "false");
	case 'n':
		return skip_word(c, "null");
	default:
		return skip_number(c);
	}
}

bool scan_open(const char *text, size_t len, struct scan *ret, GError **error)
{
	struct cursor c = { .at = text, .end = text + len };
	const char *start;

	skip_blanks(&c);
	start = c.at;
	if (g_utf8_validate(text, (gssize)len, NULL) && skip_value(&c, 1)) {
		size_t taken = (size_t)(c.at - start);

		skip_blanks(&c);
		if (c.at == c.end) {
			*ret = (struct scan){ .at = start, .len = taken };
			return true;
		}
	}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
		    "it is no JSON, or more than %u levels deep (byte %zu)", SCAN_DEPTH_MAX,
		    (size_t)(c.at - text));
	return false;
}

static bool begins(struct scan value, char c)
{
	return value.len && *value.at == c;
}

bool scan_is_object(struct scan value)
{
	return begins(value, '{');
}

bool scan_is_array(struct scan value)
{
	return begins(value, '[');
}

bool scan_is_null(struct scan value)
{
	return begins(value, 'n');
}

bool scan_is_empty(struct scan value)
{
	struct cursor c = { .at = value.at + 1, .end = value.at + value.len };

	skip_blanks(&c);
	return c.at + 1 >= c.end;
}

/* A string with its quotes, where the cursor stands. */
static struct scan take_part(struct cursor *c)
{
	const char *start = c->at;

	skip_value(c, 0);
	return (struct scan){ .at = start, .len = (size_t)(c->at - start) };
}

static bool text_equals(struct scan string, const char *text)
{
	return string.len == strlen(text) + 2 && memcmp(string.at + 1, text, strlen(text)) == 0;
}

unsigned scan_member(struct scan object, const char *name, struct scan *ret)
{
	struct cursor c = { .at = object.at + 1, .end = object.at + object.len - 1 };
	unsigned found = 0;

	for (skip_blanks(&c); c.at < c.end; take(&c, ',')) {
		struct scan key = take_part(&c), value;

		take(&c, ':');
		value = take_part(&c);
		if (text_equals(key, name) && found++ == 0)
			*ret = value;
	}
	return found;
}

bool scan_next(struct scan array, struct scan *element)
{
	const char *at = element->at ? element->at + element->len : array.at + 1;
	struct cursor c = { .at = at, .end = array.at + array.len - 1 };

	skip_blanks(&c);
	if (element->at)
		take(&c, ',');
	if (c.at >= c.end)
		return false;
	*element = take_part(&c);
	return true;
}

bool scan_names(struct scan string, const char *name)
{
	size_t len = strlen(name);
	const char *last;

	if (!begins(string, '"') || string.len < len + 2)
		return false;
	last = string.at + string.len - 1 - len;
	return memcmp(last, name, len) == 0 && strchr("\"/", last[-1]);
}
