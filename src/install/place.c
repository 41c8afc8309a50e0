/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install/place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/fail.h"
#include "util/fd.h"
#include "util/sys.h"

static bool refuse(GError **error, const char *path, const char *what)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s %s", path, what);
	return false;
}

/* The folder that @path is in and its name there, which is borrowed from @path. */
static int open_above(int root, const char *path, const char **ret_name)
{
	g_autofree char *above = g_path_get_dirname(path);

	*ret_name = strrchr(path, '/') + 1;
	return sys_open_rooted(root, above, O_PATH | O_DIRECTORY);
}

static bool read_all(int fd, char **ret)
{
	g_autofree char *text = g_malloc(PLACE_MAX + 1);
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, PLACE_MAX + 1 - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return false;
		len += n > 0 ? (size_t)n : 0;
		if (len > PLACE_MAX) {
			errno = EFBIG;
			return false;
		}
	}
	if (memchr(text, '\0', len)) {
		errno = EILSEQ;
		return false;
	}
	*ret = g_strndup(text, len);
	return true;
}

/* Opens what lies there if it is a plain file. *@ret is -1 where nothing does. */
static bool open_file(int root, const char *path, int *ret, GError **error)
{
	const char *name;
	AUTO_FD int above = open_above(root, path, &name);
	struct stat st;
	int fd;

	*ret = -1;
	if (above == -ENOENT)
		return true;
	if (above < 0)
		return fail(error, -above, "cannot open the folder of %s", path);
	if (fstatat(above, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || fail(error, errno, "cannot look at %s", path);
	if (S_ISLNK(st.st_mode))
		return refuse(error, path, "is a symlink: it is left to who made it");
	if (!S_ISREG(st.st_mode))
		return refuse(error, path, "is no plain file");
	fd = openat(above, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail(error, errno, "cannot open %s", path);
	*ret = fd;
	return true;
}

bool place_read(int root, const char *path, char **ret, GError **error)
{
	AUTO_FD int fd = -1;

	*ret = NULL;
	if (!open_file(root, path, &fd, error))
		return false;
	if (fd < 0 || read_all(fd, ret))
		return true;
	if (errno == EFBIG)
		return refuse(error, path, "is longer than a megabyte");
	if (errno == EILSEQ)
		return refuse(error, path, "is no text");
	return fail(error, errno, "cannot read %s", path);
}

/* Security labels and access lists. What this file system does not have it does not need. */
static void copy_attributes(int from, int to)
{
	g_autofree char *names = g_malloc(XATTR_LIST_MAX);
	g_autofree char *value = g_malloc(XATTR_SIZE_MAX);
	ssize_t len = flistxattr(from, names, XATTR_LIST_MAX);

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t n = fgetxattr(from, names + at, value, XATTR_SIZE_MAX);

		if (n >= 0)
			(void)fsetxattr(to, names + at, value, (size_t)n, 0);
	}
}

static int write_all(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		text += n > 0 ? n : 0;
		len -= n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Fills the new file @fd and makes it like @old, unless that is -1. */
static int fill(int fd, int old, const char *text, mode_t mode)
{
	struct stat st = { .st_mode = mode };
	int r = write_all(fd, text);

	if (r < 0)
		return r;
	if (old >= 0) {
		if (fstat(old, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0)
			return -errno;
		copy_attributes(old, fd);
	}
	/* Last: a change of the owner takes bits away. */
	return fchmod(fd, st.st_mode & 07777) < 0 || fsync(fd) < 0 ? -errno : 0;
}

static void sync_folder(int folder)
{
	AUTO_FD int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)fsync(fd);
}

/* What the new text of a file is called before it has the file's name. Owned. */
static char *fresh_name(const char *path)
{
	return g_strdup_printf(".%s.lxcfs-clone", strrchr(path, '/') + 1);
}

void place_tidy(int root, const char *path)
{
	g_autofree char *fresh = fresh_name(path);
	const char *name;
	AUTO_FD int above = open_above(root, path, &name);

	if (above >= 0)
		(void)unlinkat(above, fresh, 0);
}

bool place_write(int root, const char *path, const char *text, mode_t mode, GError **error)
{
	g_autofree char *above = g_path_get_dirname(path);
	const char *name = strrchr(path, '/') + 1;
	g_autofree char *fresh = fresh_name(path);
	AUTO_FD int old = -1;
	AUTO_FD int folder = -1;
	AUTO_FD int fd = -1;
	int r;

	if (!open_file(root, path, &old, error))
		return false;
	folder = place_folder(root, above, 0755, error);
	if (folder < 0)
		return false;
	(void)unlinkat(folder, fresh, 0); /* of one that was killed */
	fd = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail(error, errno, "cannot write %s", path);
	r = fill(fd, old, text, mode);
	if (r == 0 && renameat(folder, fresh, folder, name) < 0)
		r = -errno;
	if (r < 0) {
		(void)unlinkat(folder, fresh, 0);
		return fail(error, -r, "cannot write %s", path);
	}
	sync_folder(folder);
	return true;
}

bool place_remove(int root, const char *path, GError **error)
{
	const char *name;
	AUTO_FD int above = open_above(root, path, &name);

	if (above == -ENOENT)
		return true;
	if (above < 0 || (unlinkat(above, name, 0) < 0 && errno != ENOENT))
		return fail(error, above < 0 ? -above : errno, "cannot remove %s", path);
	sync_folder(above);
	return true;
}

bool place_exists(int root, const char *path)
{
	AUTO_FD int fd = sys_open_rooted(root, path, O_PATH);

	return fd >= 0;
}

bool place_is_program(int root, const char *path)
{
	AUTO_FD int fd = sys_open_rooted(root, path, O_PATH);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111);
}

GPtrArray *place_missing(int root, const char *path)
{
	GPtrArray *missing = g_ptr_array_new_with_free_func(g_free);
	char *above = g_path_get_dirname(path);

	while (strcmp(above, "/") != 0 && !place_exists(root, above)) {
		char *next = g_path_get_dirname(above);

		g_ptr_array_insert(missing, 0, above);
		above = next;
	}
	g_free(above);
	return missing;
}

void place_remove_folder(int root, const char *path)
{
	const char *name;
	AUTO_FD int above = open_above(root, path, &name);

	if (above >= 0)
		(void)unlinkat(above, name, AT_REMOVEDIR);
}

int place_folder(int root, const char *path, mode_t mode, GError **error)
{
	g_autofree char *inside = g_build_filename(path, "x", NULL);
	g_autoptr(GPtrArray) missing = place_missing(root, inside);
	int fd;

	for (guint i = 0; i < missing->len; i++) {
		const char *folder = missing->pdata[i], *name;
		AUTO_FD int above = open_above(root, folder, &name);
		int err = above < 0 ? -above : 0;
		bool last = i + 1 == missing->len;

		if (!err && mkdirat(above, name, last ? mode : 0755) < 0)
			err = errno;
		if (err && err != EEXIST) {
			fail(error, err, "cannot make the folder %s", folder);
			return -1;
		}
	}
	fd = sys_open_rooted(root, path, O_PATH | O_DIRECTORY);
	if (fd < 0) {
		fail(error, -fd, "cannot open the folder %s", path);
		return -1;
	}
	return fd;
}
