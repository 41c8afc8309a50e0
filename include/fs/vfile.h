/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The virtual files. To add one: write src/view/<name>.c and add its row to src/fs/vfiles.c. */
#include <stdbool.h>
#include <stddef.h>

#include "host/host.h"
#include "view/request.h"

struct text;

struct vfile {
	const char *path;    /* below the mount point: "proc/meminfo" */
	enum host_file host; /* what a reader in no container gets */

	/* See view/views.h. NULL: a directory. */
	int (*generate)(const struct request *req, struct text *out);

	/* This directory and all below it is the host's; in it, "online" files are ours. */
	bool host_tree;
};

extern const struct vfile vfiles[];
extern const size_t n_vfiles;
