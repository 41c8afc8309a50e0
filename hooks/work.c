/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/work.h"

#include <stdio.h>

#include "bind/parts.h"
#include "hooks/cover.h"
#include "hooks/place.h"
#include "util/fd.h"

static void say_shared(unsigned shared, int say)
{
	if (shared)
		dprintf(say,
			"%u of its files are left as they are: the host would see what is mounted "
			"there (shared propagation)\n",
			shared);
}

/* With files over its /sys alone, where there should be others, too. */
static void say_bare(const GArray *parts, const struct covered *covered, int say)
{
	if (covered->proc || !covered->there)
		return;
	for (guint i = 0; i < parts->len; i++) {
		if (!g_str_has_prefix(g_array_index(parts, struct part, i).path, "proc/"))
			continue;
		dprintf(say, "nothing in its /proc is covered: none of the files is there, on a "
			     "procfs\n");
		return;
	}
}

static bool is_served(const GArray *parts, const char *name)
{
	for (guint i = 0; i < parts->len; i++)
		if (part_is_called(g_array_index(parts, struct part, i).path, name))
			return true;
	return false;
}

static bool collect(const struct work *w, char **files, GArray **ret, int say, GError **error)
{
	if (!parts_collect(w->mountpoint, (const char *const *)files, ret, error))
		return false;
	for (char **name = files; name && *name; name++)
		if (!is_served(*ret, *name))
			dprintf(say, "the lxcfs-clone at %s serves no '%s'\n", w->mountpoint,
				*name);
	return true;
}

/*
 * What is served is fetched outside, where it is sure to be, unless that takes rights had inside
 * alone.
 */
static enum work_status put_files(const struct work *w, const struct place *place, char **files,
				  int say, GError **error)
{
	g_autoptr(GArray) parts = NULL;
	struct covered covered;
	AUTO_FD int root = -1;

	if (place->late && !place->rootfs) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_PERM,
			    "only root can put files into a container that runs");
		return WORK_NO_DAEMON;
	}
	if (!place->late && !collect(w, files, &parts, say, error))
		return WORK_NO_DAEMON;
	root = place_enter(place, error);
	if (root < 0)
		return WORK_FAILED;
	if (place->late && !collect(w, files, &parts, say, error))
		return WORK_NO_DAEMON;
	if (!cover(parts, root, place->proc, place->here, &covered, error))
		return WORK_FAILED;
	say_shared(covered.shared, say);
	say_bare(parts, &covered, say);
	if (covered.there)
		return WORK_DONE;
	g_set_error(
		error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
		"nothing is covered: the container has none of the files of the lxcfs-clone at %s",
		w->mountpoint);
	return WORK_NOTHING;
}

static enum work_status work_on(const struct work *w, int say, GError **error)
{
	AUTO_PLACE struct place place = PLACE_NONE;
	struct oci_wish wish = { 0 };
	enum work_status status = WORK_FAILED;

	if (w->state) {
		wish.off = w->state->wish.off;
		wish.files = g_strdupv(w->state->wish.files);
	}
	if (w->state ? place_of_state(w->state, &place, &wish, error)
		     : place_of_process(w->pid, &place, error))
		status = wish.off ? WORK_DONE
				  : put_files(w, &place, wish.files ? wish.files : w->files, say,
					      error);
	g_strfreev(wish.files);
	return status;
}

int work_do(void *work, int say)
{
	g_autoptr(GError) error = NULL;
	enum work_status status = work_on(work, say, &error);

	if (error)
		dprintf(say, "%s\n", error->message);
	return status;
}
