/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cgroup/walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <limits.h>
#include <string.h>

#include "util/fd.h"

#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)

/*
 * The names of the cgroups in @dir, @most of them, so that no directory stream is open on the way
 * down.
 */
static GQueue *children(int dir, unsigned most)
{
	GQueue *names = g_queue_new();
	AUTO_FD int fd = openat(dir, ".", DIR_FLAGS);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;

	if (!stream)
		return names;
	(void)fd_steal(&fd);
	while (names->length < most && (e = readdir(stream)))
		if (e->d_type == DT_DIR && strcmp(e->d_name, ".") != 0 &&
		    strcmp(e->d_name, "..") != 0)
			g_queue_push_tail(names, g_strdup(e->d_name));
	closedir(stream);
	return names;
}

/* The levels from the top down to where we are: what is still to be visited in each. */
static void push(GPtrArray *levels, const struct cg_walk *w, int dir, unsigned *left)
{
	if (w->enter)
		w->enter(dir, w->arg);
	*left -= 1;
	g_ptr_array_add(levels, children(dir, *left));
}

static void free_level(gpointer level)
{
	g_queue_free_full(level, g_free);
}

/* From *@dir, all of whose children were visited, to the one above. */
static int go_up(GPtrArray *levels, const struct cg_walk *w, int *dir)
{
	g_autofree char *name = NULL;
	AUTO_FD int above = openat(*dir, "..", DIR_FLAGS);

	if (above < 0)
		return -errno;
	fd_close(dir);
	*dir = fd_steal(&above);
	g_ptr_array_set_size(levels, (gint)levels->len - 1);
	name = g_queue_pop_head(levels->pdata[levels->len - 1]);
	return w->leave ? w->leave(*dir, name, w->arg) : 0;
}

int cg_walk(int top, const struct cg_walk *w)
{
	g_autoptr(GPtrArray) levels = g_ptr_array_new_with_free_func(free_level);
	AUTO_FD int dir = openat(top, ".", DIR_FLAGS);
	unsigned left = w->most ? w->most : UINT_MAX;
	int r = 0;

	if (dir < 0)
		return -errno;
	push(levels, w, dir, &left);
	while (r == 0 && left > 0) {
		GQueue *names = levels->pdata[levels->len - 1];
		const char *name = g_queue_peek_head(names);
		AUTO_FD int below = name ? openat(dir, name, DIR_FLAGS) : -1;

		if (below >= 0) {
			fd_close(&dir);
			dir = fd_steal(&below);
			push(levels, w, dir, &left);
		} else if (name) { /* gone meanwhile */
			g_free(g_queue_pop_head(names));
		} else if (levels->len == 1) {
			break;
		} else {
			r = go_up(levels, w, &dir);
		}
	}
	return r;
}
