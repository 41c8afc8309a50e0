/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/num.h"

/* Low half of a node id: rows from 1 on (FUSE's root is 1), names of host's trees from here. */
#define FIRST_NAME (UINT32_C(1) << 16)

#define PAGE 4096

/* Whole pages of a text that hardly changes in length. */
#define SIZE_MAX_AGE_MS 60000

/* What the names at the top of a host's tree have as their directory: the row's number, marked. */
#define ROW (UINT32_C(1) << 31)

static uint64_t make_id(pid_t pid, uint32_t low)
{
	return (uint64_t)(uint32_t)pid << 32 | low;
}

static uint32_t low_half(uint64_t id)
{
	return (uint32_t)id;
}

static const struct vfile *find_row(const char *path)
{
	for (size_t i = 0; i < n_vfiles; i++)
		if (strcmp(vfiles[i].path, path) == 0)
			return &vfiles[i];
	return NULL;
}

static uint32_t row_number(const struct vfile *file)
{
	return (uint32_t)(file - vfiles) + 1;
}

static void set_host_path(struct node *n, const char *path)
{
	n->in_sys = g_str_has_prefix(path, "sys/");
	if (n->in_sys || g_str_has_prefix(path, "proc/"))
		g_strlcpy(n->path, strchr(path, '/') + 1, sizeof(n->path));
}

static void node_of_row(const struct vfile *file, pid_t pid, struct node *ret)
{
	*ret = (struct node){ .id = make_id(pid, row_number(file)), .pid = pid, .file = file };
	if (file->generate)
		ret->kind = NODE_VFILE;
	else if (file->host_tree)
		ret->kind = NODE_HOST_DIR;
	else if (strcmp(file->path, "containers") == 0)
		ret->kind = NODE_CONTAINERS;
	else
		ret->kind = NODE_DIR;
	set_host_path(ret, file->path);
}

/* @path, below /sys, is the row's @pattern, below the mount point, with a number for its '%'. */
static bool matches(const char *pattern, const char *path, unsigned *ret_number)
{
	uint64_t number = 0;

	if (!g_str_has_prefix(pattern, "sys/"))
		return false;
	pattern += strlen("sys/");
	for (; *pattern; pattern++) {
		if (*pattern == '%') {
			if (!num_take(&path, &number) || number > G_MAXINT)
				return false;
		} else if (*pattern != *path++) {
			return false;
		}
	}
	*ret_number = (unsigned)number;
	return !*path;
}

/* The row of a file of ours in a host's tree, or NULL. */
static const struct vfile *find_in_tree(const char *path, unsigned *ret_number)
{
	for (size_t i = 0; i < n_vfiles; i++)
		if (vfiles[i].generate && matches(vfiles[i].path, path, ret_number))
			return &vfiles[i];
	return NULL;
}

/* Sets the path of @ret to that of the row and names that lead to @number. */
static int path_of_name(const struct tree *t, uint32_t number, unsigned depth, struct node *ret)
{
	const char *name;
	uint32_t parent;
	size_t len;
	int r = names_get(t->names, number, &parent, &name);

	/* No directory is that deep; the path's size bounds it too. */
	if (r < 0 || depth > 32 || (parent & ROW && (parent & ~ROW) > n_vfiles))
		return -ENOENT;
	if (parent & ROW)
		node_of_row(&vfiles[(parent & ~ROW) - 1], ret->pid, ret);
	else
		r = path_of_name(t, parent, depth + 1, ret);
	if (r < 0)
		return r;
	len = strlen(ret->path);
	if (len + 1 + strlen(name) >= sizeof(ret->path))
		return -ENAMETOOLONG;
	ret->path[len] = '/';
	memcpy(ret->path + len + 1, name, strlen(name) + 1);
	return 0;
}

static int host_dir(const struct tree *t, const struct node *n)
{
	return n->in_sys ? host_sys_dir(t->host) : host_proc_dir(t->host);
}

static int host_stat(const struct tree *t, const struct node *n, struct stat *ret)
{
	return fstatat(host_dir(t, n), n->path, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int node_of_name(const struct tree *t, uint32_t number, pid_t pid, struct node *ret)
{
	struct stat st;
	int r;

	*ret = (struct node){ .pid = pid };
	r = path_of_name(t, number, 0, ret);
	if (r < 0)
		return r;
	ret->id = make_id(pid, FIRST_NAME + number);
	ret->in_tree = true;
	ret->file = find_in_tree(ret->path, &ret->number);
	ret->kind = NODE_VFILE;
	if (ret->file)
		return 0;
	r = host_stat(t, ret, &st);
	if (r < 0)
		return r;
	ret->kind = S_ISDIR(st.st_mode)   ? NODE_HOST_DIR
		    : S_ISLNK(st.st_mode) ? NODE_HOST_LINK
					  : NODE_HOST_FILE;
	return 0;
}

int tree_node(const struct tree *t, uint64_t id, struct node *ret)
{
	uint32_t low = low_half(id);
	pid_t pid = (pid_t)(id >> 32);

	if (pid < 0 || low == 0)
		return -ESTALE;
	if (low >= FIRST_NAME)
		return node_of_name(t, low - FIRST_NAME, pid, ret);
	if (low > n_vfiles)
		return -ESTALE;
	node_of_row(&vfiles[low - 1], pid, ret);
	return 0;
}

static int lookup_pid(const struct tree *t, const char *name, struct node *ret)
{
	char path[16];
	uint64_t pid;
	struct stat st;

	if (!num_parse(name, &pid) || name[0] == '0' || strchr(name, '\n') || pid > G_MAXINT)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "%u", (unsigned)pid);
	if (fstatat(host_proc_dir(t->host), path, &st, 0) < 0)
		return -ENOENT;
	node_of_row(&vfiles[0], (pid_t)pid, ret);
	return 0;
}

/* A name in a host's tree: put into the table once it is known to exist. */
static int lookup_host(const struct tree *t, const struct node *parent, const char *name,
		       struct node *ret)
{
	uint32_t low = low_half(parent->id);
	char path[TREE_PATH_SIZE];
	const struct vfile *ours;
	struct stat st;
	unsigned number;
	int64_t n;

	if (snprintf(path, sizeof(path), "%s/%s", parent->path, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	ours = find_in_tree(path, &number);
	if ((!ours || !ours->absent) &&
	    fstatat(host_sys_dir(t->host), path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	n = names_intern(t->names, low >= FIRST_NAME ? low - FIRST_NAME : ROW | low, name);
	return n < 0 ? (int)n : node_of_name(t, (uint32_t)n, parent->pid, ret);
}

/* The kernel never asks for others. */
static bool is_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

int tree_lookup(const struct tree *t, const struct node *parent, const char *name, struct node *ret)
{
	g_autofree char *path = NULL;
	const struct vfile *file;
	struct stat st;

	if (!is_name(name))
		return -ENOENT;
	if (parent->kind == NODE_CONTAINERS)
		return lookup_pid(t, name, ret);
	if (parent->kind == NODE_HOST_DIR)
		return lookup_host(t, parent, name, ret);
	if (parent->kind != NODE_DIR)
		return -ENOTDIR;
	path = *parent->file->path ? g_strdup_printf("%s/%s", parent->file->path, name)
				   : g_strdup(name);
	file = find_row(path);
	if (!file || (parent->pid && strcmp(path, "containers") == 0))
		return -ENOENT;
	node_of_row(file, parent->pid, ret);
	if (ret->kind == NODE_DIR || ret->kind == NODE_CONTAINERS || file->absent)
		return 0;
	return host_stat(t, ret, &st); /* what this host has not, no container has */
}

/* With room for a few cpus or disks more: the kernel keeps the answer for long. */
static off_t size_of(const struct tree *t, const struct node *n, const struct stat *st)
{
	AUTO_HOST_TEXT struct host_text *text = NULL;
	size_t len;

	if (n->in_tree)
		return MAX(st->st_size, PAGE);
	len = host_text_get(t->host, n->file->host, SIZE_MAX_AGE_MS, &text) < 0 ? 0 : text->len;
	return (off_t)((len + len / 4) / PAGE + 1) * PAGE;
}

int tree_stat(const struct tree *t, const struct node *n, struct stat *ret)
{
	struct stat st;

	*ret = (struct stat){ .st_ino = n->id, .st_nlink = 1 };
	if (n->kind == NODE_DIR || n->kind == NODE_CONTAINERS) {
		ret->st_mode = S_IFDIR | (n->kind == NODE_CONTAINERS ? 0500 : 0555);
		ret->st_nlink = 2;
		return 0;
	}
	if (host_stat(t, n, &st) < 0) {
		if (!n->file || !n->file->absent)
			return -ENOENT;
		st = (struct stat){ .st_mode = S_IFREG | 0444 };
	}
	ret->st_mode = st.st_mode;
	ret->st_nlink = S_ISDIR(st.st_mode) ? 2 : 1;
	ret->st_atim = st.st_atim;
	if (S_ISREG(st.st_mode)) {
		ret->st_size = size_of(t, n, &st);
		ret->st_blocks = ret->st_size / 512; /* else cp takes it for a hole */
	}
	ret->st_mtim = st.st_mtim;
	ret->st_ctim = st.st_ctim;
	return 0;
}
