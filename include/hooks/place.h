/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Where a container's root directory is, as seen from a hook: below a path of the host's, in a
 * mount namespace that is the container's already (createContainer) or is to be entered (prestart,
 * createRuntime); or, once it was pivoted to, the root of the container's process (poststart,
 * attach).
 */
#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "hooks/oci.h"

struct place {
	int proc;     /* the host's procfs */
	int ns, user; /* namespaces to be entered; -1: none */
	int top;      /* the root directory there */
	char *rootfs; /* below it; NULL: it is the container's itself */
	bool here;    /* we are inside */
	bool late;    /* what is served can be reached from inside alone */
};

#define PLACE_NONE ((struct place){ .proc = -1, .ns = -1, .user = -1, .top = -1 })

/*
 * Of the container of @state, whose annotations become @wish's with those of its config.json,
 * unless it has some. @ret, which begins as PLACE_NONE, is to be given to place_clear() in any
 * case. False and a sentence when there is no such place.
 */
bool place_of_state(const struct oci_state *state, struct place *ret, struct oci_wish *wish,
		    GError **error);

/* Of the process @pid, of a container that runs. */
bool place_of_process(pid_t pid, struct place *ret, GError **error);

/* Goes there for good. A descriptor of the container's root directory, or -1 and a sentence. */
int place_enter(const struct place *place, GError **error);

void place_clear(struct place *place);
#define AUTO_PLACE __attribute__((cleanup(place_clear)))
