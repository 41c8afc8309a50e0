/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/io.h"

#include <errno.h>
#include <glib.h>
#include <string.h>

#include "util/keyed.h"
#include "util/num.h"
#include "util/scratch.h"

/* A line of io.stat is at most some 200 bytes; this is for a host with hundreds of devices. */
#define IO_SIZE (256u << 10)

static const struct keyed_field v2_keys[] = {
	{ .key = KEY("rbytes"), .offset = offsetof(struct cg_io_device, rbytes) },
	{ .key = KEY("wbytes"), .offset = offsetof(struct cg_io_device, wbytes) },
	{ .key = KEY("rios"), .offset = offsetof(struct cg_io_device, rios) },
	{ .key = KEY("wios"), .offset = offsetof(struct cg_io_device, wios) },
	{ .key = KEY("dbytes"), .offset = offsetof(struct cg_io_device, dbytes) },
	{ .key = KEY("dios"), .offset = offsetof(struct cg_io_device, dios) },
};

static const struct keyed_field v1_keys[2][3] = {
	{
		{ .key = KEY("Read"), .offset = offsetof(struct cg_io_device, rbytes) },
		{ .key = KEY("Write"), .offset = offsetof(struct cg_io_device, wbytes) },
		{ .key = KEY("Discard"), .offset = offsetof(struct cg_io_device, dbytes) },
	},
	{
		{ .key = KEY("Read"), .offset = offsetof(struct cg_io_device, rios) },
		{ .key = KEY("Write"), .offset = offsetof(struct cg_io_device, wios) },
		{ .key = KEY("Discard"), .offset = offsetof(struct cg_io_device, dios) },
	},
};

static struct cg_io_device *device(struct cg_io *io, uint64_t major, uint64_t minor)
{
	for (size_t i = io->n; i-- > 0;)
		if (io->dev[i].major == major && io->dev[i].minor == minor)
			return &io->dev[i];
	io->dev = g_renew(struct cg_io_device, io->dev, io->n + 1);
	io->dev[io->n] = (struct cg_io_device){ .major = major, .minor = minor };
	return &io->dev[io->n++];
}

static bool take_device(const char **p, uint64_t *major, uint64_t *minor)
{
	if (!num_take(p, major) || **p != ':')
		return false;
	(*p)++;
	return num_take(p, minor) && (**p == ' ' || **p == '\n' || !**p);
}

static void set(struct cg_io_device *d, size_t offset, uint64_t v)
{
	memcpy((char *)d + offset, &v, sizeof(v));
}

/* The kernel has no number for, say, a hidden path of a multipath disk. */
static bool is_unnumbered(const char *p)
{
	return strncmp(p, "(unknown) ", 10) == 0;
}

/* " key=value key=value …" up to the end of the line. */
static int parse_pairs(const char *p, struct cg_io_device *d)
{
	size_t cursor = 0;

	while (*p == ' ') {
		size_t len = strcspn(++p, "= \n"), i;
		uint64_t v;

		if (p[len] != '=')
			return p[len] == '\0' || p[len] == '\n' ? 0 : -EBADMSG;
		i = keyed_find(v2_keys, sizeof(v2_keys[0]), G_N_ELEMENTS(v2_keys), p, len, &cursor);
		p += len + 1;
		if (i < G_N_ELEMENTS(v2_keys)) {
			if (!num_take(&p, &v))
				return -EBADMSG;
			set(d, v2_keys[i].offset, v);
		}
		p += strcspn(p, " \n");
	}
	return 0;
}

int cg_io_parse_v2(const char *text, struct cg_io *io)
{
	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'), *p = line;
		uint64_t major, minor;
		int r;

		line = *end ? end + 1 : end;
		if (is_unnumbered(p))
			continue;
		/*
		 * Some kernels name devices without numbers and don't end their line: the
		 * pairs are those of the last ("7:7 7:6 8:0 rbytes=…").
		 */
		do {
			if (!take_device(&p, &major, &minor))
				return -EBADMSG;
		} while (*p == ' ' && g_ascii_isdigit(p[1]) && p++);
		r = *p == ' ' ? parse_pairs(p, device(io, major, minor)) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* "254:0 Read 1024" … and a last "Total 1024" without device. */
int cg_io_parse_v1(const char *text, bool ops, struct cg_io *io)
{
	const struct keyed_field *keys = v1_keys[ops];
	size_t cursor = 0;

	for (const char *line = text; *line;) {
		const char *end = strchrnul(line, '\n'), *p = line;
		uint64_t major, minor, v;
		size_t len, i;

		line = *end ? end + 1 : end;
		if (!take_device(&p, &major, &minor)) {
			if (strncmp(p, "Total ", 6) == 0 || is_unnumbered(p))
				continue;
			return -EBADMSG;
		}
		p += *p == ' ';
		len = strcspn(p, " \n");
		i = keyed_find(keys, sizeof(*keys), G_N_ELEMENTS(v1_keys[0]), p, len, &cursor);
		if (i == G_N_ELEMENTS(v1_keys[0]))
			continue;
		p += len;
		if (!num_take_field(&p, &v))
			return -EBADMSG;
		set(device(io, major, minor), keys[i].offset, v);
	}
	return 0;
}

static int read_v2(struct cg_node *node, char *buf, struct cg_io *io)
{
	ssize_t n = cg_node_read(node, CG_FILE_IO_STAT, buf, IO_SIZE);

	return n < 0 ? (int)n : cg_io_parse_v2(buf, io);
}

/* The pairs of files in the order of preference. bfq counts only where that scheduler runs. */
static int read_v1(struct cg_node *node, char *buf, struct cg_io *io)
{
	static const enum cg_file files[][2] = {
		{ CG_FILE_IO_BYTES, CG_FILE_IO_OPS },
		{ CG_FILE_IO_BYTES_OWN, CG_FILE_IO_OPS_OWN },
		{ CG_FILE_IO_BYTES_BFQ, CG_FILE_IO_OPS_BFQ },
	};
	ssize_t n = -ENOENT;

	for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
		for (unsigned ops = 0; ops < 2; ops++) {
			int r;

			n = cg_node_read(node, files[i][ops], buf, IO_SIZE);
			r = n < 0 ? (int)n : cg_io_parse_v1(buf, ops, io);
			if (r == -ENOENT)
				break;
			if (r < 0)
				return r;
		}
		if (n >= 0)
			return 0;
	}
	return (int)n;
}

static int (*const backends[CG_N_VERSIONS])(struct cg_node *node, char *buf, struct cg_io *io) = {
	[CG_V1] = read_v1,
	[CG_V2] = read_v2,
};

int cg_io_read(struct cg_node *node, struct cg_io *ret)
{
	static _Thread_local char *thread_buf;
	struct cg_io io = { 0 };
	int r = backends[cg_node_version(node)](node, scratch(&thread_buf, IO_SIZE), &io);

	if (r < 0) {
		cg_io_clear(&io);
		return r;
	}
	*ret = io;
	return 0;
}

void cg_io_clear(struct cg_io *io)
{
	g_free(io->dev);
	*io = (struct cg_io){ 0 };
}
