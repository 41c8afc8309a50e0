/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "util/jsontext.h"

#define BLANKS " \t\r\n"
#define UNIT   "    "

static gunichar hex4(const char *digits)
{
	gunichar u = 0;

	for (unsigned i = 0; i < 4; i++)
		u = u << 4 | (gunichar)g_ascii_xdigit_value(digits[i]);
	return u;
}

#define NO_CHARACTER 0xfffd

/*
 * The character that "\uXXXX" at *@p is, with its other half; *@p moves behind it. Half a pair is
 * none, as in Go; nor is a NUL, which no text of ours has: what is behind one must not be lost.
 */
static gunichar take_unicode(const char **p)
{
	gunichar u = hex4(*p + 2), low;

	*p += 6;
	if (u >= 0xd800 && u < 0xdc00 && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2);
		if (low >= 0xdc00 && low < 0xe000) {
			u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
			*p += 6;
		}
	}
	return u == 0 || (u >= 0xd800 && u < 0xe000) ? NO_CHARACTER : u;
}

char *jsontext_string(const char *text, struct json_span value)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	GString *out = g_string_new(NULL);
	const char *p = text + value.begin + 1, *end = text + value.end - 1;

	while (p < end) {
		if (*p != '\\') {
			g_string_append_c(out, *p++);
		} else if (p[1] == 'u') {
			g_string_append_unichar(out, take_unicode(&p));
		} else {
			g_string_append_c(out, to[strchr(from, p[1]) - from]);
			p += 2;
		}
	}
	return g_string_free(out, FALSE);
}

char *jsontext_of_characters(const char *text)
{
	GString *out = g_string_new(NULL);

	for (const char *p = text, *start = p; *p; start = p) {
		if (*p != '\\') {
			p += strcspn(p, "\\");
		} else if (p[1] != 'u') {
			p += 2;
		} else if (take_unicode(&p) == NO_CHARACTER) {
			g_string_append_unichar(out, NO_CHARACTER);
			continue;
		}
		g_string_append_len(out, start, p - start);
	}
	return g_string_free(out, FALSE);
}

char *jsontext_quote(const char *plain)
{
	GString *out = g_string_new("\"");

	for (const char *p = plain; *p; p++) {
		if (*p == '"' || *p == '\\')
			g_string_append_printf(out, "\\%c", *p);
		else if (g_ascii_iscntrl(*p))
			g_string_append_printf(out, "\\u%04x", (unsigned)*p);
		else
			g_string_append_c(out, *p);
	}
	g_string_append_c(out, '"');
	return g_string_free(out, FALSE);
}

char *jsontext_replace(const char *text, struct json_span span, const char *value)
{
	GString *out = g_string_new_len(text, (gssize)span.begin);

	g_string_append(out, value);
	g_string_append(out, text + span.end);
	return g_string_free(out, FALSE);
}

/* How a text is laid out. Owned. */
struct style {
	char *newline, *unit, *colon;
};

static void style_clear(struct style *style)
{
	g_free(style->newline);
	g_free(style->unit);
	g_free(style->colon);
}

/* The blanks before what begins at @pos, from the line's end or the last other character on. */
static char *blanks_before(const char *text, size_t pos)
{
	size_t begin = pos;

	while (begin > 0 && strchr(" \t", text[begin - 1]))
		begin--;
	return g_strndup(text + begin, pos - begin);
}

/* The blanks that the line begins with in which @pos is. */
static char *indent_of(const char *text, size_t pos)
{
	while (pos > 0 && text[pos - 1] != '\n')
		pos--;
	return g_strndup(text + pos, strspn(text + pos, " \t"));
}

static struct style style_of(const char *text, struct json_span root)
{
	g_autoptr(GArray) members = jsontext_members(text, root);
	const char *end = memchr(text + root.begin, '\n', root.end - root.begin);
	struct style s = { 0 };

	s.newline = g_strdup(end && end > text && end[-1] == '\r' ? "\r\n" : "\n");
	if (members->len > 0) {
		const struct json_member *first = &g_array_index(members, struct json_member, 0);
		size_t n = first->value.begin - first->key.end;

		if (memchr(text + root.begin, '\n', first->key.begin - root.begin))
			s.unit = blanks_before(text, first->key.begin);
		if (!memchr(text + first->key.end, '\n', n))
			s.colon = g_strndup(text + first->key.end, n);
	}
	if (!s.unit || !*s.unit) {
		g_free(s.unit);
		s.unit = g_strdup(UNIT);
	}
	if (!s.colon)
		s.colon = g_strdup(": ");
	return s;
}

/* Nothing but its key is before the object on its line. */
static bool begins_line(const char *text, struct json_span object)
{
	for (size_t pos = object.begin; pos > 0 && text[pos - 1] != '\n'; pos--)
		if (strchr("{[,", text[pos - 1]))
			return false;
	return true;
}

/* What stands between the braces of an object that has no member yet. */
static char *only_member(const char *text, struct json_span object, const struct style *s,
			 const char *member)
{
	g_autofree char *indent = indent_of(text, object.begin);

	if (!begins_line(text, object))
		return g_strdup(member);
	return g_strconcat(s->newline, indent, s->unit, member, s->newline, indent, NULL);
}

char *jsontext_insert(const char *text, struct json_span root, struct json_span object,
		      const char *key, const char *value)
{
	g_autoptr(GArray) members = jsontext_members(text, object);
	struct style s = style_of(text, root);
	g_autofree char *name = jsontext_quote(key);
	g_autofree char *member = g_strconcat(name, s.colon, value, NULL);
	g_autofree char *filling = NULL;
	struct json_span place = { object.begin + 1, object.end - 1 };

	if (members->len == 0) {
		filling = only_member(text, object, &s, member);
	} else {
		const struct json_member *last =
			&g_array_index(members, struct json_member, members->len - 1);
		g_autofree char *blanks = blanks_before(text, last->key.begin);
		bool line = last->key.begin > strlen(blanks) &&
			    text[last->key.begin - strlen(blanks) - 1] == '\n';

		place = (struct json_span){ last->value.end, last->value.end };
		if (line)
			filling = g_strconcat(",", s.newline, blanks, member, NULL);
		else
			filling = g_strconcat(",", members->len > 1 ? blanks : " ", member, NULL);
	}
	style_clear(&s);
	return jsontext_replace(text, place, filling);
}

char *jsontext_remove(const char *text, struct json_span object, const struct json_member *member)
{
	g_autoptr(GArray) members = jsontext_members(text, object);
	guint i = 0;

	if (members->len == 1)
		return jsontext_replace(text, object, "{}");
	while (g_array_index(members, struct json_member, i).key.begin != member->key.begin)
		i++;
	if (i == 0)
		return jsontext_replace(
			text,
			(struct json_span){
				member->key.begin,
				g_array_index(members, struct json_member, 1).key.begin },
			"");
	return jsontext_replace(
		text,
		(struct json_span){ g_array_index(members, struct json_member, i - 1).value.end,
				    member->value.end },
		"");
}
