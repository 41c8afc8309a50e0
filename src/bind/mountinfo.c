/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/mountinfo.h"

#include <errno.h>
#include <linux/mount.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "util/num.h"
#include "util/octal.h"

/* The field at *@p, ended with a NUL; *@p moves behind it, or becomes NULL at the line's end. */
static char *take_field(char **p)
{
	char *field = *p;

	if (!field)
		return NULL;
	*p = strchr(field, ' ');
	if (*p)
		*(*p)++ = '\0';
	return field;
}

static bool take_number(char **p, uint64_t *ret)
{
	const char *field = take_field(p);

	return field && num_parse(field, ret);
}

static bool take_device(char **p, struct mountinfo *m)
{
	const char *field = take_field(p);

	return field && num_take(&field, &m->major) && *field++ == ':' &&
	       num_take(&field, &m->minor) && *field == '\0';
}

/* False if @field begins with @tag and no number follows. */
static bool take_tagged(const char *field, const char *tag, uint64_t *ret)
{
	size_t len = strlen(tag);

	return strncmp(field, tag, len) != 0 || num_parse(field + len, ret);
}

/* "shared:1 master:2 …" up to and with the "-". */
static bool take_optional(char **p, struct mountinfo *m)
{
	const char *field;

	while ((field = take_field(p))) {
		if (strcmp(field, "-") == 0)
			return true;
		if (!take_tagged(field, "shared:", &m->peers) ||
		    !take_tagged(field, "master:", &m->master))
			return false;
	}
	return false;
}

static bool take_text(char **p, const char **ret)
{
	char *field = take_field(p);

	*ret = field ? octal_unescape(field) : NULL;
	return field;
}

int mountinfo_parse(char *line, struct mountinfo *ret)
{
	struct mountinfo m = { 0 };
	char *p = line;

	line[strcspn(line, "\n")] = '\0';
	if (!take_number(&p, &m.id) || !take_number(&p, &m.parent) || !take_device(&p, &m) ||
	    !take_text(&p, &m.root) || !take_text(&p, &m.point) || !take_text(&p, &m.options) ||
	    !take_optional(&p, &m) || !take_text(&p, &m.fstype) || !take_text(&p, &m.source))
		return -EBADMSG;
	*ret = m;
	return 0;
}

uint64_t mountinfo_attrs(const char *options)
{
	static const struct {
		const char *name;
		uint64_t attr;
	} known[] = {
		{ .name = "ro", .attr = MOUNT_ATTR_RDONLY },
		{ .name = "nosuid", .attr = MOUNT_ATTR_NOSUID },
		{ .name = "nodev", .attr = MOUNT_ATTR_NODEV },
		{ .name = "noexec", .attr = MOUNT_ATTR_NOEXEC },
	};
	uint64_t attrs = 0;

	for (const char *o = options; o; o = strchr(o, ',')) {
		size_t len;

		o += *o == ',';
		len = strcspn(o, ",");
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
			if (strlen(known[i].name) == len && strncmp(o, known[i].name, len) == 0)
				attrs |= known[i].attr;
	}
	return attrs;
}
