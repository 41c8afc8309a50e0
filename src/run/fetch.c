/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/fail.h"
#include "run/mounts.h"
#include "run/nodes.h"
#include "util/fd.h"
#include "util/sys.h"

static void clear_bind(void *data)
{
	struct mounts_bind *b = data;

	g_free(b->target);
	fd_close(&b->tree);
}

static GArray *binds_new(void)
{
	GArray *a = g_array_new(FALSE, FALSE, sizeof(struct mounts_bind));

	g_array_set_clear_func(a, clear_bind);
	return a;
}

void mounts_clear(struct mounts *mounts)
{
	if (mounts->binds)
		g_array_unref(mounts->binds);
	if (mounts->host)
		g_array_unref(mounts->host);
	g_strfreev(mounts->cgroups);
	*mounts = (struct mounts){ 0 };
}

/*
 * Of all that is mounted below it, too, and nobody's peer, as docker does it: what either side
 * mounts there later the other does not see.
 */
static bool fetch(const char *source, const char *target, bool ro, GArray *to, GError **error)
{
	AUTO_FD int fd = open(source, O_PATH | O_CLOEXEC);
	struct mounts_bind b;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return run_fail(error, errno, "cannot open '%s'", source);
	b = (struct mounts_bind){ .target = g_strdup(target),
				  .tree = sys_clone_trees_at(fd),
				  .folder = S_ISDIR(st.st_mode) };
	r = b.tree < 0 ? b.tree : sys_mount_attr_set_all(b.tree, ro ? MOUNT_ATTR_RDONLY : 0);
	g_array_append_val(to, b);
	return r == 0 || run_fail(error, -r, "cannot bind '%s'", source);
}

static bool fetch_binds(const struct spec *spec, GArray *to, GError **error)
{
	for (guint i = 0; i < spec->mounts->len; i++) {
		const struct spec_mount *m = &g_array_index(spec->mounts, struct spec_mount, i);
		struct mounts_bind tmpfs = { .tree = -1, .folder = true };

		if (m->source && !fetch(m->source, m->target, m->read_only, to, error))
			return false;
		if (m->source)
			continue;
		tmpfs.target = g_strdup(m->target);
		g_array_append_val(to, tmpfs);
	}
	return true;
}

/* A user namespace makes no nodes that work: the host's are bound. */
static bool fetch_nodes(const struct spec *spec, struct mounts *ret, GError **error)
{
	const struct spec_device *usual;
	size_t n;

	usual = nodes_usual(&n);
	for (size_t i = 0; i < n; i++)
		if (!fetch(usual[i].path, usual[i].path, false, ret->host, error))
			return false;
	for (guint i = 0; i < spec->devices->len; i++) {
		const struct spec_device *d = &g_array_index(spec->devices, struct spec_device, i);

		if (!fetch(d->host, d->path, false, ret->binds, error))
			return false;
	}
	return true;
}

/* The lines of /proc/self/cgroup: "4:memory:/", "1:name=systemd:/", "0::/". */
static bool fetch_cgroups(const struct host *host, struct mounts *ret, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new();
	g_auto(GStrv) lines = NULL;
	char text[8192];
	ssize_t n = host_read_self(host, "cgroup", text, sizeof(text));

	if (n < 0)
		return run_fail(error, (int)-n, "cannot read which cgroup hierarchies there are");
	lines = g_strsplit(text, "\n", -1);
	for (char **line = lines; *line; line++) {
		g_auto(GStrv) fields = g_strsplit(*line, ":", 3);

		if (g_strv_length(fields) != 3)
			continue;
		if (*fields[1])
			g_ptr_array_add(names, g_strdup(fields[1]));
		else
			ret->has_cgroup2 = true;
	}
	g_ptr_array_add(names, NULL);
	ret->cgroups = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
	return true;
}

bool mounts_fetch(const struct host *host, const struct spec *spec, struct mounts *ret,
		  GError **error)
{
	*ret = (struct mounts){ .binds = binds_new(), .host = binds_new() };
	return fetch_cgroups(host, ret, error) &&
	       (!spec->userns || fetch_nodes(spec, ret, error)) &&
	       (!spec->shared.ipc || fetch("/dev/shm", "/dev/shm", false, ret->host, error)) &&
	       fetch_binds(spec, ret->binds, error);
}
