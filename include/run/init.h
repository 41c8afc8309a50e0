/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Pid 1 of a container. */
#include <sys/types.h>

/*
 * Reaps whoever is left to it and hands every signal on to @child, whose end is its own: the exit
 * status, or 128 and the signal's number. All signals must be blocked.
 */
_Noreturn void init_run(pid_t child);

/*
 * The words of our command line and of our environment go, for they are the host's; ps shows
 * "lxcfs-init".
 */
void init_hide(void);
