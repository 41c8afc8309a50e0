/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define FUSE_USE_VERSION 314
#include "fs/ops.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <glib.h>
#include <string.h>
#include <unistd.h>

#include "util/fd.h"

/* Nothing but pids comes and goes. */
#define LONG_TIMEOUT_S 86400.0
#define PID_TIMEOUT_S  1.0

static _Thread_local uint64_t current_unique;
static _Thread_local bool current_again;

void fs_begin_request(uint64_t unique, bool again)
{
	current_unique = unique;
	current_again = again;
}

static struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static double timeout_of(const struct node *n)
{
	return n->pid ? PID_TIMEOUT_S : LONG_TIMEOUT_S;
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param e = { 0 };
	struct node dir, node = { 0 };
	int r = tree_node(&fs->tree, parent, &dir);

	if (r == 0)
		r = tree_lookup(&fs->tree, &dir, name, &node);
	if (r == 0)
		r = tree_stat(&fs->tree, &node, &e.attr);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	e.ino = node.id;
	e.attr_timeout = e.entry_timeout = timeout_of(&node);
	fuse_reply_entry(req, &e);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct stat st;
	struct node node;
	int r = tree_node(&fs->tree, ino, &node);

	(void)fi;
	if (r == 0)
		r = tree_stat(&fs->tree, &node, &st);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &st, timeout_of(&node));
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct fs *fs = fs_of(req);
	char target[PATH_MAX];
	struct node node;
	ssize_t n;
	int r = tree_node(&fs->tree, ino, &node);

	if (r == 0 && node.kind != NODE_HOST_LINK)
		r = -EINVAL;
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	n = readlinkat(host_sys_dir(fs->tree.host), node.path, target, sizeof(target) - 1);
	if (n < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	target[n] = '\0';
	fuse_reply_readlink(req, target);
}

static bool is_file(const struct node *n)
{
	return n->kind == NODE_VFILE || n->kind == NODE_HOST_FILE;
}

static void op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	struct node node;
	int r = tree_node(&fs->tree, ino, &node);

	if (r == 0 && !is_file(&node))
		r = -EISDIR;
	if (r == 0)
		r = render_check(&fs->renderer, &node, fuse_req_ctx(req)->pid);
	if (r < 0) {
		fuse_reply_err(req, -r);
		return;
	}
	fi->fh = snapshot_open(fs->snapshots, current_unique, current_again);
	/* The page cache is by inode: readers of different containers would share it. */
	fi->direct_io = 1;
	fi->noflush = 1;
	/* Interrupted, there will be no RELEASE; asked again, it may have been answered before. */
	if (fuse_reply_open(req, fi) == -ENOENT && !current_again)
		snapshot_close(fs->snapshots, fi->fh);
}

static void op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	snapshot_close(fs_of(req)->snapshots, fi->fh);
	fuse_reply_err(req, 0);
}

static void reply_piece(fuse_req_t req, const char *text, size_t len, size_t size, off_t off)
{
	if (off < 0 || (size_t)off >= len)
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + off, MIN(size, len - (size_t)off));
}

static int make(fuse_req_t req, fuse_ino_t ino, char *text, size_t text_size, size_t *ret_len,
		uint64_t *ret_owner)
{
	struct fs *fs = fs_of(req);
	struct node node;
	struct text out;
	int r = tree_node(&fs->tree, ino, &node);

	if (r < 0)
		return r;
	text_init(&out, text, text_size);
	r = render(&fs->renderer, &node, fuse_req_ctx(req)->pid, &out, ret_owner);
	*ret_len = out.len;
	return r;
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	struct snapshots *all = fs_of(req)->snapshots;
	struct snapshot *s;
	char *text;
	int r = 0;

	/*
	 * Only read(2) and its like name an owner. What doesn't is to fill the page cache, which
	 * all containers share: for sendfile(2), say, whose callers then fall back to read(2).
	 */
	if (!fi->lock_owner) {
		fuse_reply_err(req, EINVAL);
		return;
	}
	s = snapshot_lock(all, fi->fh, &text);
	if (snapshot_is_due(s, (uint64_t)off, current_unique, current_again)) {
		uint64_t owner;
		size_t len;

		s->whole = false;
		r = make(req, ino, text, snapshots_text_size(all), &len, &owner);
		if (r == 0) {
			s->len = len;
			s->made_by = current_unique;
			/* The slot may have been given to somebody else meanwhile. */
			s->made_for = fi->fh;
			atomic_store_explicit(&s->owner, owner, memory_order_relaxed);
			s->whole = true;
		}
	}
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		reply_piece(req, text, s->len, size, off);
	snapshot_unlock(all, s);
}

/* A directory has nothing to keep, but libfuse's answer without this would let it be cached. */
static void op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

struct listing {
	fuse_req_t req;
	char *buf;
	size_t len, size;
};

static bool put_entry(const char *name, uint64_t id, mode_t type, uint64_t next, void *arg)
{
	struct listing *l = arg;
	struct stat st = { .st_ino = id, .st_mode = type & S_IFMT };
	size_t n = fuse_add_direntry(l->req, l->buf + l->len, l->size - l->len, name, &st,
				     (off_t)next);

	if (n > l->size - l->len)
		return false;
	l->len += n;
	return true;
}

static bool contains(const pid_t *pids, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The pids of the containers known now; some share an init. */
static pid_t *list_inits(struct container_table *t, size_t *ret_n)
{
	struct container **list;
	size_t n = container_table_list(t, &list), k = 0;
	pid_t *inits = g_new(pid_t, n + 1);

	for (size_t i = 0; i < n; i++) {
		if (list[i]->init && !contains(inits, k, list[i]->init))
			inits[k++] = list[i]->init;
		container_put(t, list[i]);
	}
	g_free(list);
	*ret_n = k;
	return inits;
}

static void op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		       struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	g_autofree char *buf = g_malloc(size);
	struct listing l = { .req = req, .buf = buf, .size = size };
	g_autofree pid_t *inits = NULL;
	size_t n_inits = 0;
	struct node node;
	int r = tree_node(&fs->tree, ino, &node);

	(void)fi;
	if (r == 0 && node.kind == NODE_CONTAINERS)
		inits = list_inits(fs->renderer.containers, &n_inits);
	if (r == 0)
		r = tree_list(&fs->tree, &node, (uint64_t)off, inits, n_inits, put_entry, &l);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_buf(req, l.buf, l.len);
}

static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)ino, (void)nlookup;
	fuse_reply_none(req);
}

static void op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	const struct statvfs st = { .f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255 };

	(void)ino;
	fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops fs_ops = {
	.lookup = op_lookup,
	.forget = op_forget,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.release = op_release,
	.opendir = op_opendir,
	.readdir = op_readdir,
	.statfs = op_statfs,
};
