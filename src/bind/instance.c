/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/instance.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "util/fd.h"

/* Hexadecimal digits. */
#define ID_LEN 16

/* A name is readable if it can be: also as the address of a socket, which has 107 bytes. */
#define NAME_LEN (107 - sizeof(INSTANCE_RUN_DIR "/.holder"))

char *instance_mountpoint(const char *given)
{
	g_autofree char *absolute = g_canonicalize_filename(given, NULL);
	g_autofree char *real = realpath(absolute, NULL);
	g_autofree char *parent = NULL, *name = NULL, *real_parent = NULL;

	if (real)
		return g_steal_pointer(&real);
	parent = g_path_get_dirname(absolute);
	name = g_path_get_basename(absolute);
	real_parent = realpath(parent, NULL);
	return g_build_filename(real_parent ? real_parent : parent, name, NULL);
}

char *instance_path(const char *mountpoint, const char *suffix)
{
	g_autofree char *name = g_uri_escape_string(mountpoint, NULL, FALSE);
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, mountpoint, -1);

	return g_strdup_printf(INSTANCE_RUN_DIR "/%s.%s", strlen(name) <= NAME_LEN ? name : sum,
			       suffix);
}

static int read_id(const char *path, char id[ID_LEN + 1])
{
	char buf[ID_LEN + 2];
	ssize_t n = fd_read_at(AT_FDCWD, path, buf, sizeof(buf));

	if (n < 0)
		return n == -EFBIG ? -EBADMSG : (int)n;
	if (n != ID_LEN || strspn(buf, "0123456789abcdef") != ID_LEN)
		return -EBADMSG;
	memcpy(id, buf, ID_LEN + 1);
	return 0;
}

/* Whole under its name, or not there: a reader never sees half of it. */
static int write_id(const char *path, const char *id)
{
	g_autofree char *fresh = g_strconcat(path, ".new", NULL);
	AUTO_FD int fd = -1;

	(void)unlink(fresh);
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, id, ID_LEN) == ID_LEN && rename(fresh, path) == 0)
		return 0;
	int err = errno ? errno : EIO;

	(void)unlink(fresh);
	return -err;
}

static char *source_of(const char *mountpoint, const char *id)
{
	return g_strdup_printf("lxcfs-clone@%s#%s", mountpoint, id);
}

int instance_source(const char *mountpoint, char **ret)
{
	g_autofree char *path = instance_path(mountpoint, "id");
	char id[ID_LEN + 1];
	int r = read_id(path, id);

	if (r == 0)
		*ret = source_of(mountpoint, id);
	return r;
}

int instance_source_make(const char *mountpoint, char **ret, bool *ret_made)
{
	g_autofree char *path = instance_path(mountpoint, "id");
	char id[ID_LEN + 1];
	uint64_t random;
	int r = read_id(path, id);

	if (r < 0) {
		if (getrandom(&random, sizeof(random), 0) != sizeof(random))
			return -EIO;
		(void)snprintf(id, sizeof(id), "%016llx", (unsigned long long)random);
		r = write_id(path, id);
		if (r < 0)
			return r;
		*ret_made = true;
	}
	*ret = source_of(mountpoint, id);
	return 0;
}

void instance_forget(const char *mountpoint)
{
	g_autofree char *path = instance_path(mountpoint, "id");

	(void)unlink(path);
}
