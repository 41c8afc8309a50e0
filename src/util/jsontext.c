/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/jsontext.h"

#include <string.h>

/* Goes through a text, from pos on. The NUL behind it is no character of JSON's: it stops there. */
struct scanner {
	const char *text;
	size_t pos;
	unsigned depth;
	const char *wrong; /* what was expected at pos; NULL: all is well */
};

static bool scan_value(struct scanner *s);

static bool complain(struct scanner *s, const char *wrong)
{
	if (!s->wrong)
		s->wrong = wrong;
	return false;
}

static char peek(const struct scanner *s)
{
	return s->text[s->pos];
}

static void skip_blanks(struct scanner *s)
{
	s->pos += strspn(s->text + s->pos, " \t\r\n");
}

static size_t digits(struct scanner *s)
{
	size_t n = strspn(s->text + s->pos, "0123456789");

	s->pos += n;
	return n;
}

static bool scan_number(struct scanner *s)
{
	if (peek(s) == '-')
		s->pos++;
	if (peek(s) == '0')
		s->pos++;
	else if (digits(s) == 0)
		return complain(s, "a number has no digit");
	if (peek(s) == '.') {
		s->pos++;
		if (digits(s) == 0)
			return complain(s, "a number ends in its point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->pos++;
		if (peek(s) == '+' || peek(s) == '-')
			s->pos++;
		if (digits(s) == 0)
			return complain(s, "a number has no exponent");
	}
	return true;
}

static bool scan_escape(struct scanner *s)
{
	char c = s->text[++s->pos];

	if (c == 'u') {
		for (unsigned i = 1; i <= 4; i++)
			if (!g_ascii_isxdigit(s->text[s->pos + i]))
				return complain(s, "an escape has not four hexadecimal digits");
		s->pos += 5;
		return true;
	}
	if (!c || !strchr("\"\\/bfnrt", c))
		return complain(s, "there is no such escape");
	s->pos++;
	return true;
}

static bool scan_string(struct scanner *s)
{
	if (peek(s) != '"')
		return complain(s, "a string is missing");
	s->pos++;
	while (peek(s) != '"') {
		if (peek(s) == '\\') {
			if (!scan_escape(s))
				return false;
		} else if ((unsigned char)peek(s) < 0x20) {
			return complain(s, "a string does not end");
		} else {
			s->pos++;
		}
	}
	s->pos++;
	return true;
}

static bool scan_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
		if (g_str_has_prefix(s->text + s->pos, words[i])) {
			s->pos += strlen(words[i]);
			return true;
		}
	}
	return complain(s, "a value is missing");
}

static bool scan_key(struct scanner *s, struct json_span *ret)
{
	ret->begin = s->pos;
	if (!scan_string(s))
		return false;
	ret->end = s->pos;
	skip_blanks(s);
	if (peek(s) != ':')
		return complain(s, "a colon is missing");
	s->pos++;
	skip_blanks(s);
	return true;
}

/* An object or, when @end is ']', an array. @members may be NULL. */
static bool scan_members(struct scanner *s, char end, GArray *members)
{
	s->pos++;
	skip_blanks(s);
	if (peek(s) == end) {
		s->pos++;
		return true;
	}
	for (;;) {
		struct json_member m = { 0 };

		if (end == '}' && !scan_key(s, &m.key))
			return false;
		m.value.begin = s->pos;
		if (!scan_value(s))
			return false;
		m.value.end = s->pos;
		if (members)
			g_array_append_val(members, m);
		skip_blanks(s);
		if (peek(s) == end) {
			s->pos++;
			return true;
		}
		if (peek(s) != ',')
			return complain(s, end == '}' ? "a comma or } is missing"
						      : "a comma or ] is missing");
		s->pos++;
		skip_blanks(s);
	}
}

static bool scan_value(struct scanner *s)
{
	bool ok;

	switch (peek(s)) {
	case '{':
	case '[':
		if (s->depth == JSONTEXT_DEPTH)
			return complain(s, "it goes too deep");
		s->depth++;
		ok = scan_members(s, peek(s) == '{' ? '}' : ']', NULL);
		s->depth--;
		return ok;
	case '"':
		return scan_string(s);
	case '-':
	case '0' ... '9':
		return scan_number(s);
	default:
		return scan_word(s);
	}
}

static bool say_where(const char *text, size_t pos, const char *what, GError **error)
{
	size_t line = 1, begin = 0;

	for (size_t i = 0; i < pos; i++) {
		if (text[i] == '\n') {
			line++;
			begin = i + 1;
		}
	}
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "line %zu, column %zu: %s", line,
		    pos - begin + 1, what);
	return false;
}

bool jsontext_check(const char *text, size_t len, struct json_span *ret, GError **error)
{
	struct scanner s = { .text = text };
	struct json_span span;
	const char *end;

	if (!g_utf8_validate_len(text, len, &end))
		return say_where(text, (size_t)(end - text), "it is not UTF-8", error);
	skip_blanks(&s);
	span.begin = s.pos;
	if (!scan_value(&s))
		return say_where(text, s.pos, s.wrong, error);
	span.end = s.pos;
	skip_blanks(&s);
	if (s.pos != len)
		return say_where(text, s.pos, "something follows its end", error);
	*ret = span;
	return true;
}

char *jsontext_compact(const char *text, struct json_span value)
{
	GString *out = g_string_new(NULL);
	bool quoted = false;

	for (size_t i = value.begin; i < value.end; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		if (!quoted && strchr(" \t\r\n", text[i]))
			continue;
		g_string_append_c(out, text[i]);
		if (quoted && text[i] == '\\')
			g_string_append_c(out, text[++i]);
	}
	return g_string_free(out, FALSE);
}

const char *jsontext_kind(const char *text, struct json_span value)
{
	switch (text[value.begin]) {
	case '{':
		return "an object";
	case '[':
		return "an array";
	case '"':
		return "a string";
	case 'n':
		return "null";
	case 't':
	case 'f':
		return "a boolean";
	default:
		return "a number";
	}
}

GArray *jsontext_members(const char *text, struct json_span object)
{
	GArray *members = g_array_new(FALSE, FALSE, sizeof(struct json_member));
	struct scanner s = { .text = text, .pos = object.begin };

	(void)scan_members(&s, text[object.begin] == '{' ? '}' : ']', members);
	return members;
}

unsigned jsontext_find(const char *text, struct json_span object, const char *key,
		       struct json_member *ret)
{
	g_autoptr(GArray) members = jsontext_members(text, object);
	unsigned found = 0;

	for (guint i = 0; i < members->len; i++) {
		const struct json_member *m = &g_array_index(members, struct json_member, i);
		g_autofree char *name = jsontext_string(text, m->key);

		if (strcmp(name, key) == 0) {
			*ret = *m;
			found++;
		}
	}
	return found;
}
