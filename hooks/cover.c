/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/cover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "bind/parts.h"
#include "bind/table.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/sys.h"

/* Where a part goes. */
struct spot {
	const struct part *part;
	int fd;
	uint64_t mount, peers; /* what it lies on; the peer group of that, 0: none */
	bool kernels;          /* a procfs or sysfs */
	bool served;           /* a FUSE, as ours is that was put there before */
	bool shared;           /* with the host */
	bool covered;
};

static void close_spot(void *data)
{
	fd_close(&((struct spot *)data)->fd);
}

/* What a container has not, nobody would look for. Links are followed inside of it alone. */
static bool is_absent(int r)
{
	return r == -ENOENT || r == -ENOTDIR || r == -ELOOP || r == -EXDEV;
}

static bool find_spots(const GArray *parts, int root, GArray *spots, GError **error)
{
	for (guint i = 0; i < parts->len; i++) {
		const struct part *part = &g_array_index(parts, struct part, i);
		struct spot spot = {
			.part = part,
			.fd = sys_open_rooted(root, part->path, O_PATH | O_NOFOLLOW),
		};
		int r = spot.fd;

		if (is_absent(r))
			continue;
		if (r >= 0) {
			g_array_append_val(spots, spot);
			r = sys_mount_id(spot.fd,
					 &g_array_index(spots, struct spot, spots->len - 1).mount);
		}
		if (r < 0)
			return fail(error, -r, "cannot look at its /%s", part->path);
	}
	return true;
}

static bool is_of_sysfs(const struct spot *spot)
{
	return g_str_has_prefix(spot->part->path, "sys/");
}

static bool look_at(const struct mountinfo *m, void *arg)
{
	GArray *spots = arg;

	for (guint i = 0; i < spots->len; i++) {
		struct spot *spot = &g_array_index(spots, struct spot, i);

		if (spot->mount != m->id)
			continue;
		spot->kernels = strcmp(m->fstype, is_of_sysfs(spot) ? "sysfs" : "proc") == 0;
		spot->served = g_str_has_prefix(m->fstype, "fuse");
		spot->peers = m->peers;
	}
	return true;
}

/* One by one, where the kernel can: the table of a busy host has thousands of lines. */
static bool ask_for_each(GArray *spots)
{
	for (guint i = 0; i < spots->len; i++) {
		struct spot *spot = &g_array_index(spots, struct spot, i);
		struct sys_mount about;

		if (sys_mount_about(spot->fd, &about) < 0)
			return false;
		spot->kernels = about.magic == (is_of_sysfs(spot) ? SYSFS_MAGIC : PROC_SUPER_MAGIC);
		spot->served = about.magic == FUSE_SUPER_MAGIC;
		spot->peers = about.peers;
	}
	return true;
}

static int read_table(int proc, const char *path, table_fn *fn, GArray *spots)
{
	AUTO_FD int table = openat(proc, path, O_RDONLY | O_CLOEXEC);

	return table < 0 ? -errno : table_each(table, UINT64_MAX, fn, spots);
}

static bool look_for_peers(const struct mountinfo *m, void *arg)
{
	GArray *spots = arg;

	for (guint i = 0; i < spots->len; i++)
		if (m->peers && g_array_index(spots, struct spot, i).peers == m->peers)
			g_array_index(spots, struct spot, i).shared = true;
	return true;
}

static bool has_peers(const GArray *spots)
{
	for (guint i = 0; i < spots->len; i++)
		if (g_array_index(spots, struct spot, i).peers)
			return true;
	return false;
}

/*
 * What a container shares with namespaces within it may be mounted on, what it shares with the host
 * not. From inside the host's tables cannot be seen; outside, an engine may have a namespace of its
 * own beside that of init. What is in doubt is shared.
 */
static void judge_peers(GArray *spots, int proc, bool here)
{
	char path[32];

	if (!has_peers(spots))
		return;
	(void)snprintf(path, sizeof(path), "%d/mountinfo", getppid());
	if (!here && read_table(proc, path, look_for_peers, spots) == 0 &&
	    read_table(proc, "1/mountinfo", look_for_peers, spots) == 0)
		return;
	for (guint i = 0; i < spots->len; i++)
		g_array_index(spots, struct spot, i).shared =
			g_array_index(spots, struct spot, i).peers;
}

static bool judge_spots(GArray *spots, int proc, GError **error)
{
	int r = ask_for_each(spots) ? 0 : read_table(proc, "self/mountinfo", look_at, spots);

	return r == 0 || fail(error, -r, "cannot read its table of mounts");
}

/* By its descriptor's name in the host's procfs: its path is the container's. */
static void take_back(const GArray *spots, int proc)
{
	if (fchdir(proc) < 0)
		return;
	for (guint i = 0; i < spots->len; i++) {
		const struct spot *spot = &g_array_index(spots, struct spot, i);
		char path[32];

		(void)snprintf(path, sizeof(path), "self/fd/%d", spot->part->tree);
		if (spot->covered)
			(void)umount2(path, MNT_DETACH);
	}
}

static bool cover_spot(struct spot *spot, struct covered *count, GError **error)
{
	int r;

	count->there += spot->served;
	count->proc += !is_of_sysfs(spot) && (spot->kernels || spot->served);
	if (!spot->kernels)
		return true;
	if (spot->shared) {
		count->shared++;
		return true;
	}
	r = sys_mount_onto(spot->part->tree, spot->fd);
	spot->covered = r == 0;
	count->there += spot->covered;
	return r == 0 || fail(error, -r, "cannot mount over its /%s", spot->part->path);
}

bool cover(const GArray *parts, int root, int proc, bool here, struct covered *ret, GError **error)
{
	g_autoptr(GArray) spots = g_array_new(FALSE, FALSE, sizeof(struct spot));
	struct covered count = { 0 };

	g_array_set_clear_func(spots, close_spot);
	if (!find_spots(parts, root, spots, error) || !judge_spots(spots, proc, error))
		return false;
	judge_peers(spots, proc, here);
	for (guint i = 0; i < spots->len; i++) {
		if (!cover_spot(&g_array_index(spots, struct spot, i), &count, error)) {
			take_back(spots, proc);
			return false;
		}
	}
	*ret = count;
	return true;
}
