/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Putting our files back into containers that an instance which died left with dead ones. */
#include <sys/types.h>

/*
 * Starts a process that looks through all containers for dead mounts of @mountpoint, which must be
 * served by now, and puts live ones in their place. It logs a line if there was something to do,
 * and ends within two minutes, with status 0 if all went well. It keeps none of our descriptors.
 * Returns its pid, a child to be reaped, or -errno.
 */
pid_t repair_start(const char *mountpoint);
