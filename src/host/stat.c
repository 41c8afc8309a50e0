/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/stat.h"

#include <glib.h>
#include <string.h>

#include "util/keyed.h"
#include "util/num.h"

#define AT(member) offsetof(struct host_stat, member)

static const struct keyed_field fields[] = {
	{ .key = KEY("intr"), .offset = AT(intr) },
	{ .key = KEY("ctxt"), .offset = AT(ctxt) },
	{ .key = KEY("btime"), .offset = AT(btime) },
	{ .key = KEY("processes"), .offset = AT(processes) },
	{ .key = KEY("softirq"), .offset = AT(softirq) },
};

int host_stat_parse(const char *text, struct host_stat *ret)
{
	struct host_stat st = { 0 };
	int r = keyed_parse(text, ' ', fields, G_N_ELEMENTS(fields), &st);

	if (r == 0)
		*ret = st;
	return r;
}

const char *host_stat_cpu_line(const char *text, unsigned cpu, uint64_t *ret_len)
{
	for (const char *line = text; strncmp(line, "cpu", 3) == 0;) {
		const char *end = strchrnul(line, '\n'), *p = line + 3;
		uint64_t n;

		if (num_take(&p, &n) && n == cpu && *p == ' ') {
			*ret_len = (uint64_t)(end - line) + (*end == '\n');
			return line;
		}
		line = *end ? end + 1 : end;
	}
	return NULL;
}
