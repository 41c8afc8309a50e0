/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the command line says. */
#include <glib.h>
#include <stdbool.h>

#include "bind/instance.h"
#include "daemon/child.h"
#include "view/request.h"

enum config_role {
	ROLE_FIRST,  /* started by somebody else: mounts and keeps */
	ROLE_KEEPER, /* goes on for a keeper that died, or was of a former binary */
	ROLE_WORKER, /* started by the keeper */
};

struct config {
	char *mountpoint;    /* absolute */
	char *pidfile;       /* NULL: none */
	char *mount_options; /* for the kernel, beyond what we always give; may be "" */
	bool debug;
	bool nonempty;           /* mount over a directory that has something in it */
	unsigned holder_seconds; /* how long a holder waits for an instance; 0: no holder */
	struct view_options view;
	enum config_role role;
	struct handed handed; /* unless the role is ROLE_FIRST */
};

enum config_result { CONFIG_RUN, CONFIG_DONE, CONFIG_ERROR };

/* CONFIG_DONE: --version was answered. CONFIG_ERROR: *@error says it in a sentence. */
enum config_result config_parse(int argc, char **argv, struct config *ret, GError **error);
void config_clear(struct config *config);
