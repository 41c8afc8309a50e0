/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "install/plan.h"

/* The lines of a text, each with its newline if it has one. Owned. */
static GPtrArray *lines_of(const char *text)
{
	GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);

	while (text && *text) {
		size_t n = strcspn(text, "\n");

		n += text[n] == '\n';
		g_ptr_array_add(lines, g_strndup(text, n));
		text += n;
	}
	return lines;
}

static void mark(GString *out, char sign, const GPtrArray *lines, guint from, guint to)
{
	for (guint i = from; i < to; i++) {
		const char *line = lines->pdata[i];

		g_string_append_printf(out, "%c%s", sign, line);
		if (!g_str_has_suffix(line, "\n"))
			g_string_append_c(out, '\n');
	}
}

/* What we change hangs together: between the lines that are the same at both ends. */
char *plan_difference(const struct plan *plan)
{
	g_autoptr(GPtrArray) now = lines_of(plan->now);
	g_autoptr(GPtrArray) then = lines_of(plan->then);
	guint most = MIN(now->len, then->len), head = 0, tail = 0;
	GString *out = g_string_new(NULL);

	while (head < most && strcmp(now->pdata[head], then->pdata[head]) == 0)
		head++;
	while (tail < most - head &&
	       strcmp(now->pdata[now->len - 1 - tail], then->pdata[then->len - 1 - tail]) == 0)
		tail++;
	mark(out, '-', now, head, now->len - tail);
	mark(out, '+', then, head, then->len - tail);
	return g_string_free(out, FALSE);
}
