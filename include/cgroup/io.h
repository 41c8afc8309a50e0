/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What a cgroup has read from and written to block devices. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup/node.h"

struct cg_io_device {
	uint64_t major, minor;
	uint64_t rbytes, wbytes, dbytes; /* read, written, discarded */
	uint64_t rios, wios, dios;
};

/* Grows as devices are found; the caller g_free()s .dev. Start with { 0 }. */
struct cg_io {
	size_t n;
	struct cg_io_device *dev;
};

/*
 * Reads io.stat (v1: blkio.throttle.io_service_bytes_recursive and io_serviced_recursive, else the
 * ones without _recursive, else blkio.bfq.*) of @node. 0, -ENODEV or -errno.
 */
int cg_io_read(struct cg_node *node, struct cg_io *ret);

/* The parsers. @ops: the lines of v1 count operations, not bytes. 0 or -EBADMSG. */
int cg_io_parse_v2(const char *text, struct cg_io *io);
int cg_io_parse_v1(const char *text, bool ops, struct cg_io *io);

void cg_io_clear(struct cg_io *io);
