/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install/plan.h"

#include <string.h>

#include "bind/instance.h"
#include "install/place.h"

void plan_free(struct plan *p)
{
	if (!p)
		return;
	g_free(p->now);
	g_free(p->then);
	record_clear(&p->record);
	g_free(p);
}

static void free_unless(struct plan **plan)
{
	plan_free(*plan);
}
#define AUTO_PLAN __attribute__((cleanup(free_unless)))

static struct plan *look(int root, const struct way *way, GError **error)
{
	AUTO_PLAN struct plan *p = g_new0(struct plan, 1);

	p->way = way;
	record_init(&p->record);
	if (!place_read(root, way->path, &p->now, error) ||
	    !record_load(root, way->path, &p->record, error))
		return NULL;
	return g_steal_pointer(&p);
}

static void name_file(GError **error, const char *path)
{
	g_prefix_error(error, "%s is left alone: ", path);
}

/* There was no file before us, and but for blanks nobody put anything into ours. */
static bool is_left_empty(const struct plan *p, const char *text)
{
	const struct way_options usual = { .mountpoint = DEFAULT_MOUNTPOINT };
	g_autofree char *alone = p->way->add(NULL, &usual, NULL);
	g_autofree char *empty = alone ? p->way->strip(alone, NULL, NULL) : NULL;
	g_autofree char *left = g_strstrip(g_strdup(text));

	return p->record.known && !p->record.original && empty &&
	       strcmp(left, g_strstrip(empty)) == 0;
}

/*
 * What the file says without us, as the operator would have it: where nobody touched it after us,
 * what it was; else what it is, without what is ours.
 */
static bool without_us(const struct plan *p, char **ret, GError **error)
{
	const struct record *r = &p->record;

	*ret = NULL;
	if (!p->now)
		return true;
	if (record_fits(r, p->now)) {
		*ret = g_strdup(r->original);
		return true;
	}
	*ret = p->way->strip(p->now, r->original, error);
	if (!*ret) {
		name_file(error, p->way->path);
		return false;
	}
	if (is_left_empty(p, *ret))
		g_clear_pointer(ret, g_free);
	return true;
}

/*
 * An operator had told the engine of us before we came, with words of his own: those stay, and are
 * what was there. What we would write is ours, its record was lost.
 */
static bool is_operators(const struct plan *p, const struct way_options *options)
{
	struct way_options o = *options;
	g_autofree char *without = NULL, *then = NULL;

	if (!p->now || p->record.known || !p->way->has_arguments || !p->way->has_arguments(p->now))
		return false;
	o.make_default = p->way->makes_default && p->way->makes_default(p->now);
	without = p->way->strip(p->now, NULL, NULL);
	then = without ? p->way->add(without, &o, NULL) : NULL;
	return g_strcmp0(then, p->now) != 0;
}

/* Owned. NULL: nothing in the text is ours, or all of it. */
static char *part_of(const struct plan *p, const char *text)
{
	return text && p->way->part ? p->way->part(text) : NULL;
}

/*
 * What we wrote into a file of others is no more what we wrote. Of older records it is not known.
 */
static bool is_part_changed(const struct plan *p)
{
	g_autofree char *part = part_of(p, p->now);

	return part && p->record.parts->len > 0 && !record_fits_part(&p->record, part);
}

/* The file is ours alone: there is nothing in it that could be left. */
static bool is_foreign(const struct plan *p, const char *wanted)
{
	return p->now && !record_fits(&p->record, p->now) && strcmp(p->now, wanted) != 0;
}

static bool refuse_foreign(const struct plan *p, GError **error)
{
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
		    p->record.known
			    ? "%s was changed since it was installed: uninstall %s first"
			    : "%s was not made by lxcfs-clonectl install: remove it to have %s",
		    p->way->path, p->way->name);
	return false;
}

static bool want(struct plan *p, const struct way_options *options, GError **error)
{
	struct way_options o = *options;
	g_autofree char *base = NULL;

	if (p->now && p->way->makes_default && p->way->makes_default(p->now))
		o.make_default = true;
	if (is_operators(p, options))
		base = g_strdup(p->now);
	else if (p->way->strip && !without_us(p, &base, error))
		return false;
	p->changed = is_part_changed(p);
	p->then = p->way->add(p->changed ? p->now : base, &o, error);
	if (!p->then) {
		name_file(error, p->way->path);
		return false;
	}
	if (!p->way->strip && is_foreign(p, p->then))
		return refuse_foreign(p, error);
	g_free(p->record.original);
	p->record.original = g_steal_pointer(&base);
	return true;
}

struct plan *plan_install(int root, const struct way *way, const struct way_options *options,
			  GError **error)
{
	AUTO_PLAN struct plan *p = look(root, way, error);
	g_autoptr(GPtrArray) missing = NULL;
	bool noted;

	if (!p || !want(p, options, error))
		return NULL;
	noted = record_has(&p->record, way->name) && record_fits(&p->record, p->then);
	record_add(&p->record, way->name);
	missing = place_missing(root, way->path);
	for (guint i = 0; i < missing->len; i++)
		g_ptr_array_add(p->record.made, g_strdup(missing->pdata[i]));
	if (!p->now || strcmp(p->now, p->then) != 0)
		p->step = PLAN_WRITE;
	else
		p->step = noted ? PLAN_NOTHING : PLAN_NOTE;
	return g_steal_pointer(&p);
}

/* The whole file is ours, by its record or by what it says. */
static bool plan_whole(struct plan *p, GError **error)
{
	const struct way_options usual = { .mountpoint = DEFAULT_MOUNTPOINT };
	g_autofree char *wanted = p->way->add(NULL, &usual, NULL);

	if (!p->now) {
		p->step = p->record.known ? PLAN_REMOVE : PLAN_ABSENT;
		return true;
	}
	if (!p->record.known && is_foreign(p, wanted)) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_EXIST,
			    "%s is left alone: it was not made by lxcfs-clonectl install",
			    p->way->path);
		return false;
	}
	p->spoiled = is_foreign(p, wanted);
	p->step = PLAN_REMOVE;
	return true;
}

static bool plan_part(struct plan *p, GError **error)
{
	p->spoiled = is_part_changed(p);
	if (!without_us(p, &p->then, error))
		return false;
	if (p->now && p->then && strcmp(p->now, p->then) == 0)
		p->step = p->record.known ? PLAN_REMOVE : PLAN_ABSENT;
	else if (!p->then)
		p->step = p->now || p->record.known ? PLAN_REMOVE : PLAN_ABSENT;
	else
		p->step = PLAN_WRITE;
	return true;
}

struct plan *plan_uninstall(int root, const struct way *way, const struct way_set *going,
			    GError **error)
{
	AUTO_PLAN struct plan *p = look(root, way, error);

	if (!p)
		return NULL;
	if (p->record.known && !record_has(&p->record, way->name)) {
		p->step = PLAN_ABSENT;
		return g_steal_pointer(&p);
	}
	for (size_t i = 0; i < going->n; i++)
		record_drop(&p->record, going->way[i]->name);
	if (p->record.users->len > 0) {
		p->step = PLAN_SHARED;
		return g_steal_pointer(&p);
	}
	if (way->strip ? !plan_part(p, error) : !plan_whole(p, error))
		return NULL;
	return g_steal_pointer(&p);
}

static bool is_as_planned(int root, const struct plan *p, GError **error)
{
	g_autofree char *now = NULL;

	if (!place_read(root, p->way->path, &now, error))
		return false;
	if (g_strcmp0(now, p->now) == 0)
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_AGAIN,
		    "%s was changed by somebody else meanwhile: do it again", p->way->path);
	return false;
}

/* The file first, so that the record is there as long as anything of ours is. */
static bool undo(int root, const struct plan *p, GError **error)
{
	const char *path = p->way->path;
	bool same = p->now && p->then && strcmp(p->now, p->then) == 0;

	if (p->then ? !same && !place_write(root, path, p->then, 0644, error)
		    : !place_remove(root, path, error))
		return false;
	place_tidy(root, path);
	for (guint i = p->record.made->len; !p->then && i > 0; i--)
		place_remove_folder(root, p->record.made->pdata[i - 1]);
	return record_remove(root, path, error);
}

/* The record first: killed in between, it tells of a text that never came. */
static bool write_noted(int root, struct plan *p, GError **error)
{
	const char *path = p->way->path;
	g_autofree char *former = part_of(p, p->now), *part = part_of(p, p->then);
	g_autofree char *before = p->record.original ? part_of(p, p->record.original) : NULL;

	record_wrote(&p->record, p->then, p->now);
	/* What was there before us, by our name, is an operator's. */
	if (part && !before && !p->changed)
		record_wrote_part(&p->record, part, former);
	if (!record_save(root, path, &p->record, error))
		return false;
	if (p->step == PLAN_NOTE || place_write(root, path, p->then, 0644, error))
		return true;
	if (!p->record.known)
		(void)record_remove(root, path, NULL);
	return false;
}

bool plan_apply(int root, struct plan *p, char **ret_kept, GError **error)
{
	const char *path = p->way->path;

	*ret_kept = NULL;
	if (p->step == PLAN_NOTHING || (p->step == PLAN_ABSENT && p->record.known))
		return true;
	/* Of an install that was killed before there was a record. */
	if (p->step == PLAN_ABSENT)
		return record_remove(root, path, error);
	if (!is_as_planned(root, p, error))
		return false;
	if (p->step == PLAN_SHARED)
		return record_save(root, path, &p->record, error);
	if (p->spoiled) {
		*ret_kept = record_keep(root, path, p->now, error);
		if (!*ret_kept)
			return false;
	}
	if (p->record.users->len == 0)
		return undo(root, p, error);
	return write_noted(root, p, error);
}

bool plan_state(int root, const struct way *way, const struct way_options *options,
		enum plan_state *ret, GError **error)
{
	AUTO_PLAN struct plan *p = look(root, way, error);
	g_autofree char *without = NULL;

	if (!p)
		return false;
	*ret = PLAN_MISSING;
	if (!p->now || (way->strip && !without_us(p, &without, error)))
		return !p->now;
	if (way->strip && (g_strcmp0(without, p->now) == 0 || is_left_empty(p, p->now)) &&
	    !(way->has_arguments && way->has_arguments(p->now)))
		return true;
	if (!want(p, options, error))
		return false;
	if (p->changed)
		*ret = PLAN_CHANGED;
	else
		*ret = strcmp(p->now, p->then) == 0 ? PLAN_IN_PLACE : PLAN_OTHERWISE;
	return true;
}
