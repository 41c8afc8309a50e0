/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Keeps containers' mounts alive while processes that serve them come and go: it mounts, answers
 * FUSE_INIT, holds /dev/fuse and the memory that must survive, runs the worker, and starts another
 * when that dies. It serves nothing, and looks at nothing that a container could have made.
 */
#include "daemon/config.h"

/*
 * Runs until SIGTERM or SIGINT, or until the file system is mounted nowhere any more. @argv is what
 * workers are started with. Returns whether it ended as asked; else *@error is a sentence.
 */
bool keeper_run(const struct config *config, char **argv, GError **error);
