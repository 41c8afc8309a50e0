/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "fs/tree.h"
#include "util/fd.h"

struct list {
	const struct tree *tree;
	const struct node *dir;
	uint64_t from, at;
	bool (*fn)(const char *name, uint64_t id, mode_t type, uint64_t next, void *arg);
	void *arg;
};

/* Entries before .from were given by an earlier call. Returns false when there is no more room. */
static bool put(struct list *l, const char *name, uint64_t id, mode_t type)
{
	if (l->at++ < l->from)
		return true;
	return l->fn(name, id, type, l->at, l->arg);
}

/* Entries name no inode that could not be looked up: the kernel asks for what it needs. */
#define UNKNOWN_ID 0xffffffffu

static void list_rows(struct list *l)
{
	const char *path = l->dir->file->path;
	size_t len = strlen(path);

	for (size_t i = 1; i < n_vfiles; i++) {
		const char *name = vfiles[i].path;
		struct node child;
		struct stat st;

		if (len && (strncmp(name, path, len) != 0 || name[len] != '/'))
			continue;
		name += len ? len + 1 : 0;
		if (strchr(name, '/') || tree_lookup(l->tree, l->dir, name, &child) < 0 ||
		    tree_stat(l->tree, &child, &st) < 0)
			continue;
		if (!put(l, name, child.id, st.st_mode))
			return;
	}
}

static void list_inits(struct list *l, const pid_t *inits, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "%d", inits[i]);
		if (!put(l, name, UNKNOWN_ID, S_IFDIR))
			return;
	}
}

/* Files of ours that the host does not have, in each directory that their row's path fits. */
static void list_absent(struct list *l)
{
	for (size_t i = 0; i < n_vfiles; i++) {
		const char *name = strrchr(vfiles[i].path, '/');
		struct node child;
		struct stat st;

		if (!vfiles[i].absent || tree_lookup(l->tree, l->dir, name + 1, &child) < 0 ||
		    child.file != &vfiles[i] ||
		    fstatat(host_sys_dir(l->tree->host), child.path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		if (!put(l, name + 1, UNKNOWN_ID, S_IFREG))
			return;
	}
}

static int list_host(struct list *l)
{
	AUTO_FD int fd = openat(host_sys_dir(l->tree->host), l->dir->path,
				O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	bool more = true;

	if (!stream)
		return -errno;
	(void)fd_steal(&fd);
	while (more && (e = readdir(stream)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			more = put(l, e->d_name, UNKNOWN_ID, (mode_t)DTTOIF(e->d_type));
	closedir(stream);
	if (more)
		list_absent(l);
	return 0;
}

int tree_list(const struct tree *tree, const struct node *dir, uint64_t from, const pid_t *inits,
	      size_t n_inits,
	      bool (*fn)(const char *name, uint64_t id, mode_t type, uint64_t next, void *arg),
	      void *arg)
{
	struct list l = { .tree = tree, .dir = dir, .from = from, .fn = fn, .arg = arg };

	if (!put(&l, ".", dir->id, S_IFDIR) || !put(&l, "..", UNKNOWN_ID, S_IFDIR))
		return 0;
	switch (dir->kind) {
	case NODE_DIR:
		list_rows(&l);
		return 0;
	case NODE_CONTAINERS:
		list_inits(&l, inits, n_inits);
		return 0;
	case NODE_HOST_DIR:
		return list_host(&l);
	default:
		return -ENOTDIR;
	}
}
