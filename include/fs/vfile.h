/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The virtual files. To add one: write src/view/<name>.c and add its row to src/fs/vfiles.c. */
#include <stdbool.h>
#include <stddef.h>

#include "host/host.h"
#include "view/request.h"

struct text;

struct vfile {
	const char *path; /* below the mount point: "proc/meminfo" */

	/* See view/views.h. NULL: a directory. */
	int (*generate)(const struct request *req, struct text *out);

	/*
	 * What a reader in no container gets; not for files in a host_tree, where the path tells.
	 */
	enum host_file host;

	/*
	 * This directory and all below it is the host's. Rows with paths in it are the files in it
	 * that are ours; a '%' in their path is a number, the request's .number.
	 */
	bool host_tree;

	/* For such a row: what the file says to a reader in no container if the host has none. */
	const char *absent;
};

extern const struct vfile vfiles[];
extern const size_t n_vfiles;
