/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The tree: node ids, what they stand for, and where each leads. A node id is computed from the
 * host pid whose container is meant (0: the reader's) and the number of a row of vfiles[] or of a
 * name of the host's tree. Nothing is remembered of a node, and nothing here knows FUSE.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "fs/names.h"
#include "fs/vfile.h"

enum node_kind {
	NODE_DIR,        /* of our own */
	NODE_CONTAINERS, /* MOUNTPOINT/containers */
	NODE_VFILE,      /* a row with .generate */
	NODE_HOST_DIR,   /* the rest of a host's tree */
	NODE_HOST_FILE,
	NODE_HOST_LINK,
};

/* The longest path in the host's tree that we follow. */
#define TREE_PATH_SIZE 512

struct node {
	uint64_t id;
	pid_t pid; /* 0: the reader */
	enum node_kind kind;
	const struct vfile *file;  /* NULL for names of a host's tree that are not ours */
	unsigned number;           /* what the '%' in its row's path stands for */
	bool in_tree;              /* a name of a host's tree */
	char path[TREE_PATH_SIZE]; /* below /proc or /sys of the host, "" where it has none */
	bool in_sys;
};

struct tree {
	struct host *host;
	struct names *names;
};

#define TREE_ROOT_ID 1

/* What @id stands for. 0, or -ENOENT or -ESTALE. */
int tree_node(const struct tree *tree, uint64_t id, struct node *ret);

/* @name in the directory @parent. 0, -ENOENT, -ENOTDIR, -ENOSPC or -errno. */
int tree_lookup(const struct tree *tree, const struct node *parent, const char *name,
		struct node *ret);

/*
 * Mode, links and times: those of the host's file, if there is one. The size is whole pages, at
 * least what the host's file has, as sysfs gives it. With 0, as procfs has it, Linux 6.5 and later
 * take sendfile(2) from a file of FUSE for finished at once (busybox's cat uses it). 0 or -errno.
 */
int tree_stat(const struct tree *tree, const struct node *node, struct stat *ret);

/*
 * Calls @fn for each entry of the directory from number @from on, until it returns false.
 * @inits are the pids to be listed in MOUNTPOINT/containers. 0 or -errno.
 */
int tree_list(const struct tree *tree, const struct node *dir, uint64_t from, const pid_t *inits,
	      size_t n_inits,
	      bool (*fn)(const char *name, uint64_t id, mode_t type, uint64_t next, void *arg),
	      void *arg);
