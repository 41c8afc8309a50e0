/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/command.h"
#include "install/place.h"
#include "install/plan.h"
#include "util/fd.h"

/* One run of either command. */
struct work {
	const struct ctl_args *args;
	bool removing;
	int root;
	struct way_set chosen;
};

static bool is_there(int root, const struct way *way)
{
	for (const char *const *sign = way->signs; *sign; sign++)
		if (place_exists(root, *sign))
			return true;
	return false;
}

/* Whether the engine would take notice; else it is said why not. */
static bool listens(int root, const struct way *way)
{
	g_autofree char *text = NULL;
	const char *why;

	if (!way->idle || !place_read(root, way->path, &text, NULL) || !text)
		return true;
	why = way->idle(text);
	if (why)
		printf("%s: left out, %s\n", way->name, why);
	return !why;
}

static bool was_installed(int root, const struct way *way)
{
	struct record record;
	bool known;

	record_init(&record);
	/* One that cannot be read is told of when it is used. */
	known = !record_load(root, way->path, &record, NULL) ||
		(record.known ? record_has(&record, way->name) : record_exists(root, way->path));
	record_clear(&record);
	return known;
}

/* Without a name: what the host has, or what was done. */
static int choose(struct work *w)
{
	for (char **word = w->args->words; *word; word++) {
		const struct way *way = way_find(*word);

		if (!way)
			return ctl_usage("there is no engine", *word);
		way_set_add(&w->chosen, way);
	}
	for (size_t i = 0; !*w->args->words && i < n_ways; i++)
		if (w->removing ? was_installed(w->root, &ways[i])
				: is_there(w->root, &ways[i]) && listens(w->root, &ways[i]))
			way_set_add(&w->chosen, &ways[i]);
	return CTL_OK;
}

static struct plan *make_plan(const struct work *w, const struct way *way, GError **error)
{
	const struct way_options options = { .mountpoint = w->args->mountpoint,
					     .make_default = w->args->make_default };

	return w->removing ? plan_uninstall(w->root, way, &w->chosen, error)
			   : plan_install(w->root, way, &options, error);
}

/* The former of the chosen ways that is told in the same file. */
static const struct way *twin(const struct work *w, const struct way *way)
{
	for (size_t i = 0; i < w->chosen.n && w->chosen.way[i] != way; i++) {
		const struct way *other = w->chosen.way[i];

		if (strcmp(other->path, way->path) == 0)
			return other;
	}
	return NULL;
}

/* What is said of a file's part that is left as somebody made it. */
static const char *stays(const struct plan *p)
{
	return p->changed
		       ? "; our part of it was changed since it was installed, and stays as it is"
		       : "";
}

static void say_done(const struct work *w, const struct plan *p, const char *kept)
{
	static const char *const words[] = {
		[PLAN_NOTHING] = "is as it should be", [PLAN_NOTE] = "is as it should be",
		[PLAN_WRITE] = "is written",           [PLAN_REMOVE] = "is removed",
		[PLAN_SHARED] = "stays for",           [PLAN_ABSENT] = "has nothing of ours",
	};
	const char *then = w->removing ? p->way->then_without : p->way->then;
	const char *word = words[p->step];

	if (p->step == PLAN_REMOVE && p->then) {
		word = words[PLAN_ABSENT];
		then = NULL;
	}
	if (p->step == PLAN_WRITE && w->removing)
		word = record_fits(&p->record, p->now) ? "is what it was"
						       : "has nothing of ours any more";
	if (p->step == PLAN_ABSENT && !p->now)
		word = "is not there";
	printf("%s: %s %s%s", p->way->name, p->way->path, word, stays(p));
	if (p->step == PLAN_SHARED)
		printf(" %s", (char *)p->record.users->pdata[0]);
	if (kept)
		printf("; it had been changed, and is kept as %s", kept);
	if (then && (p->step == PLAN_WRITE || p->step == PLAN_REMOVE))
		printf("; %s", then);
	puts("");
}

static void say_plan(const struct plan *p)
{
	g_autofree char *difference = plan_difference(p);

	if (p->step == PLAN_WRITE)
		printf("%s: would %s %s%s:\n%s", p->way->name, p->now ? "change" : "make",
		       p->way->path, stays(p), difference);
	else if (p->step == PLAN_REMOVE && !p->then)
		printf("%s: would remove %s\n", p->way->name, p->way->path);
	else
		printf("%s: nothing to do in %s%s\n", p->way->name, p->way->path, stays(p));
}

/* An engine that is told to run what is not there starts no container at all. */
static bool has_program(const struct work *w, const struct way *way)
{
	if (w->removing || w->args->dry_run || place_is_program(w->root, way->program))
		return true;
	ctl_error("%s: it would run %s, which is not there: install all of lxcfs-clone first",
		  way->name, way->program);
	return false;
}

static bool do_one(const struct work *w, const struct way *way, bool dry)
{
	g_autoptr(GError) error = NULL;
	g_autofree char *kept = NULL;
	const struct way *other = twin(w, way);
	struct plan *p = make_plan(w, way, &error);
	bool ok = p && (dry || plan_apply(w->root, p, &kept, &error));

	if (!ok)
		ctl_error("%s: %s", way->name, error->message);
	else if (other)
		printf("%s: as for %s\n", way->name, other->name);
	else if (dry)
		say_plan(p);
	else
		say_done(w, p, kept);
	plan_free(p);
	return ok;
}

/* All is thought out before anything is done: what is refused is refused as a whole. */
static bool can_be_done(const struct work *w)
{
	bool ok = true;

	for (size_t i = 0; i < w->chosen.n; i++) {
		const struct way *way = w->chosen.way[i];
		g_autoptr(GError) error = NULL;
		struct plan *p = make_plan(w, way, &error);

		if (!p)
			ctl_error("%s: %s", way->name, error->message);
		ok = p && has_program(w, way) && ok;
		plan_free(p);
	}
	if (!ok && w->chosen.n > 1)
		ctl_error("nothing was changed, for the others neither");
	return ok;
}

static int work(struct work *w)
{
	int status = choose(w);

	if (status != CTL_OK)
		return status;
	if (w->chosen.n == 0)
		puts(w->removing ? "nothing is installed"
				 : "this host has no engine that is known");
	if (!can_be_done(w))
		return CTL_FAILED;
	for (size_t i = 0; i < w->chosen.n; i++)
		if (!do_one(w, w->chosen.way[i], w->args->dry_run))
			status = CTL_FAILED;
	return status;
}

static int begin(const struct ctl_args *args, bool removing)
{
	struct work w = { .args = args, .removing = removing };
	AUTO_FD int root = open(args->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	g_autoptr(GError) error = NULL;
	int lock, status;

	if (root < 0)
		return ctl_error("cannot open %s: %s", args->root, g_strerror(errno));
	umask(022);
	w.root = root;
	if (args->dry_run)
		return work(&w);
	lock = record_lock(root, &error);
	if (lock < 0)
		return ctl_error("%s", error->message);
	status = work(&w);
	record_unlock(root, &lock);
	return status;
}

int ctl_install(const struct ctl_args *args)
{
	return begin(args, false);
}

int ctl_uninstall(const struct ctl_args *args)
{
	return begin(args, true);
}
