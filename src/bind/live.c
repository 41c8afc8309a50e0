/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bind/live.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bind/instance.h"
#include "host/host.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/sys.h"

#define LOCK_MS 60000u

int live_mount_id(const struct host *host, int fd, uint64_t *ret)
{
	static const char key[] = "\nmnt_id:";
	char path[32], text[1024];
	const char *p;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "self/fdinfo/%d", fd);
	n = fd_read_at(host_proc_dir(host), path, text, sizeof(text));
	if (n < 0)
		return (int)n;
	p = strstr(text, key);
	if (!p)
		return -EBADMSG;
	p += sizeof(key) - 1;
	return num_take_field(&p, ret) && *p == '\n' ? 0 : -EBADMSG;
}

struct look {
	const char *mountpoint;
	struct live *live;
	uint64_t id; /* of the topmost mount at the mount point */
};

static bool look_at(const struct mountinfo *m, void *arg)
{
	struct look *l = arg;

	if (strcmp(m->point, l->mountpoint) != 0 || strcmp(m->fstype, INSTANCE_FS_TYPE) != 0 ||
	    strcmp(m->source, l->live->source) != 0)
		return true;
	g_array_append_val(l->live->own_ids, m->id);
	if (m->id == l->id && strcmp(m->root, "/") == 0) {
		l->live->peers = m->peers;
		l->live->ours.serving = true;
		l->live->ours.major = m->major;
		l->live->ours.minor = m->minor;
	}
	return true;
}

/* A dead file system says so when a file of it is opened; looks and attributes are cached. */
static int ask(int dir)
{
	AUTO_FD int fd = openat(dir, "proc/uptime", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : 0;
}

static int look(const struct host *host, const char *mountpoint, struct live *live)
{
	struct look l = { .mountpoint = mountpoint, .live = live };
	AUTO_FD int table = openat(host_proc_dir(host), "self/mountinfo", O_RDONLY | O_CLOEXEC);
	int r;

	if (table < 0)
		return -errno;
	live->fd = open(mountpoint, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (live->fd >= 0) {
		r = live_mount_id(host, live->fd, &l.id);
		if (r < 0)
			return r;
	}
	r = table_each(table, UINT64_MAX, look_at, &l);
	if (r == 0 && live->ours.serving && ask(live->fd) < 0)
		live->ours.serving = false;
	if (!live->ours.serving)
		fd_close(&live->fd);
	return r;
}

/* On the file of the id, which is there for as long as the instance. */
static int take_lock(const char *mountpoint, int *ret)
{
	g_autofree char *path = instance_path(mountpoint, "id");
	uint64_t deadline = sys_coarse_ms() + LOCK_MS;
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (sys_coarse_ms() > deadline)
			return -EBUSY;
		g_usleep(10000);
	}
	*ret = fd_steal(&fd);
	return 0;
}

bool live_open(const struct host *host, const char *mountpoint, bool must_serve, struct live *ret,
	       GError **error)
{
	int r = instance_source(mountpoint, &ret->source);

	if (r == -ENOENT) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
			    "no lxcfs-clone has served %s since this host was booted", mountpoint);
		return false;
	}
	if (r < 0)
		return fail(error, -r, "cannot read the id of %s", mountpoint);
	r = take_lock(mountpoint, &ret->lock);
	if (r < 0)
		return fail(error, -r, "cannot lock the containers' mounts of %s", mountpoint);
	ret->own_ids = g_array_new(FALSE, FALSE, sizeof(uint64_t));
	ret->ours.source = ret->source;
	ret->mountpoint = g_strdup(mountpoint);
	r = look(host, mountpoint, ret);
	if (r < 0)
		return fail(error, -r, "cannot look at %s", mountpoint);
	if (must_serve && !ret->ours.serving) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NXIO,
			    "no lxcfs-clone serves %s: start it first", mountpoint);
		return false;
	}
	return true;
}

void live_clear(struct live *live)
{
	fd_close(&live->fd);
	fd_close(&live->lock);
	g_free(live->source);
	g_free(live->mountpoint);
	if (live->own_ids)
		g_array_unref(live->own_ids);
	*live = LIVE_NONE;
}
