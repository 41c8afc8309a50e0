/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is to be changed so that engines know us, or know us no more: all of it is thought out, and
 * refused where something is not understood, before any file is touched.
 */
#include <glib.h>
#include <stdbool.h>

#include "install/record.h"
#include "install/ways.h"

enum plan_step {
	PLAN_NOTHING, /* it is as it should be */
	PLAN_NOTE,    /* the file is, the record of it is not */
	PLAN_WRITE,
	PLAN_REMOVE,
	PLAN_SHARED, /* uninstall: the file stays for another way */
	PLAN_ABSENT, /* uninstall: nothing of ours is there */
};

struct plan {
	const struct way *way;
	enum plan_step step;
	char *now, *then;     /* the file's texts; NULL: no file */
	bool changed;         /* install: somebody changed our part of it, which stays as it is */
	bool spoiled;         /* uninstall: somebody changed what goes: that is kept aside */
	struct record record; /* to be kept with it */
};

/* Owned. NULL with a sentence in *@error. @going: all that go together. */
struct plan *plan_install(int root, const struct way *way, const struct way_options *options,
			  GError **error);
struct plan *plan_uninstall(int root, const struct way *way, const struct way_set *going,
			    GError **error);
void plan_free(struct plan *plan);

/*
 * Does it, with the lock of the record held. *@ret_kept is an owned path where the file had been
 * changed by somebody and is kept, else NULL. What was done before a false is done.
 */
bool plan_apply(int root, struct plan *plan, char **ret_kept, GError **error);

/* The lines that go and come, as diff(1) would mark them; owned. */
char *plan_difference(const struct plan *plan);

enum plan_state {
	PLAN_IN_PLACE,
	PLAN_MISSING,
	PLAN_CHANGED,   /* somebody changed our part of it, which no install writes anew */
	PLAN_OTHERWISE, /* something of ours is there, but not what would be written now */
};

/* How it is. False with a sentence in *@error where the file is not understood. */
bool plan_state(int root, const struct way *way, const struct way_options *options,
		enum plan_state *ret, GError **error);
