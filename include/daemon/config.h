/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the command line says. */
#include <glib.h>
#include <stdbool.h>

#include "view/request.h"

#define DEFAULT_MOUNTPOINT "/var/lib/lxcfs-clone"

struct config {
	char *mountpoint;    /* absolute */
	char *pidfile;       /* NULL: none */
	char *mount_options; /* for the kernel, beyond what we always give; may be "" */
	bool debug;
	bool nonempty; /* mount over a directory that has something in it */
	struct view_options view;
	bool is_worker; /* started by the keeper, with these descriptors: */
	int fuse_fd, shared_fd, control_fd;
};

enum config_result { CONFIG_RUN, CONFIG_DONE, CONFIG_ERROR };

/* CONFIG_DONE: --version was answered. CONFIG_ERROR: *@error says it in a sentence. */
enum config_result config_parse(int argc, char **argv, struct config *ret, GError **error);
void config_clear(struct config *config);
