/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/nodes.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/target.h"
#include "util/fd.h"

#define NODE(name, max, min)                                                                       \
	{                                                                                          \
		.path = (char *)"/dev/" name, .mode = S_IFCHR | 0666, .major = (max),              \
		.minor = (min)                                                                     \
	}

static const struct spec_device usual[] = {
	NODE("null", 1, 3),   NODE("zero", 1, 5),    NODE("full", 1, 7),
	NODE("random", 1, 8), NODE("urandom", 1, 9), NODE("tty", 5, 0),
};

static const struct {
	const char *to, *name;
} links[] = {
	{ .to = "../proc/self/fd", .name = "/dev/fd" }, { .to = "fd/0", .name = "/dev/stdin" },
	{ .to = "fd/1", .name = "/dev/stdout" },        { .to = "fd/2", .name = "/dev/stderr" },
	{ .to = "pts/ptmx", .name = "/dev/ptmx" },
};

const struct spec_device *nodes_usual(size_t *ret_n)
{
	*ret_n = G_N_ELEMENTS(usual);
	return usual;
}

bool nodes_make(bool bound, GError **error)
{
	for (size_t i = 0; !bound && i < G_N_ELEMENTS(usual); i++)
		if (mknod(usual[i].path, usual[i].mode, makedev(usual[i].major, usual[i].minor)) <
			    0 ||
		    chmod(usual[i].path, 0666) < 0)
			return run_fail(error, errno, "cannot make %s", usual[i].path);
	for (size_t i = 0; i < G_N_ELEMENTS(links); i++)
		if (symlink(links[i].to, links[i].name) < 0)
			return run_fail(error, errno, "cannot make %s", links[i].name);
	return true;
}

bool nodes_add(const struct spec_device *device, GError **error)
{
	AUTO_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD int dir = target_open_parent(root, device->path);
	g_autofree char *name = g_path_get_basename(device->path);

	if (dir < 0)
		return run_fail(error, -dir, "cannot make the folder of %s", device->path);
	/* It may be one that every container has, or a file of the image's. */
	if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		return run_fail(error, errno, "cannot replace %s", device->path);
	if (mknodat(dir, name, device->mode, makedev(device->major, device->minor)) < 0 ||
	    fchownat(dir, name, device->uid, device->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return run_fail(error, errno, "cannot make %s", device->path);
	return true;
}
