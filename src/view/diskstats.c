/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "view/diskstats.h"

#include <glib.h>
#include <string.h>

#include "util/num.h"
#include "view/views.h"

/* Only the names and the order of devices are taken from the host's file. */
#define DEVICES_MAX_AGE_MS 1000

#define SECTOR 512

/* The counters behind a name, as Documentation/admin-guide/iostats.rst has them. */
enum {
	READS,
	READ_SECTORS = 2,
	WRITES = 4,
	WRITE_SECTORS = 6,
	DISCARDS = 11,
	DISCARD_SECTORS = 13,
	N_COUNTERS = 17
};

static const struct cg_io_device *find(const struct cg_io *io, uint64_t major, uint64_t minor)
{
	for (size_t i = 0; i < io->n; i++) {
		const struct cg_io_device *d = &io->dev[i];

		if (d->major == major && d->minor == minor)
			return d->rios | d->wios | d->dios | d->rbytes | d->wbytes | d->dbytes
				       ? d
				       : NULL;
	}
	return NULL;
}

static void put_counters(const struct cg_io_device *d, struct text *out)
{
	const uint64_t counters[N_COUNTERS] = {
		[READS] = d->rios,    [READ_SECTORS] = d->rbytes / SECTOR,
		[WRITES] = d->wios,   [WRITE_SECTORS] = d->wbytes / SECTOR,
		[DISCARDS] = d->dios, [DISCARD_SECTORS] = d->dbytes / SECTOR,
	};

	for (size_t i = 0; i < N_COUNTERS; i++) {
		text_str(out, " ");
		text_u64(out, counters[i]);
	}
	text_str(out, "\n");
}

void diskstats_render(const char *host_text, const struct cg_io *io, struct text *out)
{
	for (const char *line = host_text; *line;) {
		const char *end = strchrnul(line, '\n'), *p = line;
		const struct cg_io_device *d = NULL;
		uint64_t major, minor;

		if (num_take_field(&p, &major) && num_take_field(&p, &minor) && *p == ' ')
			d = find(io, major, minor);
		if (d) {
			p += strcspn(p + 1, " \n") + 1; /* behind the name */
			text_mem(out, line, (size_t)(p - line));
			put_counters(d, out);
		}
		line = *end ? end + 1 : end;
	}
}

int diskstats_generate(const struct request *req, struct text *out)
{
	AUTO_HOST_TEXT struct host_text *host = NULL;
	struct cg_node *node = held_node(&req->ct->held, CG_IO);
	struct cg_io io = { 0 };
	int r;

	if (!node)
		return VIEW_E_PASSTHROUGH;
	r = cg_io_read(node, &io);
	if (r == 0)
		r = host_text_get(req->host, HOST_DISKSTATS, DEVICES_MAX_AGE_MS, &host);
	if (r == 0)
		diskstats_render(host->str, &io, out);
	cg_io_clear(&io);
	return r;
}
