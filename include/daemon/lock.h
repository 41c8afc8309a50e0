/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* One instance a mount point: a lock below /run, which all processes of the instance have. */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"

/*
 * Takes the lock of @mountpoint. Whoever was killed does not count, also when it cannot die. False,
 * with G_FILE_ERROR_EXIST: another instance has it, or another error.
 */
bool lock_take(const struct host *host, const char *mountpoint, int *ret, GError **error);

/* Removes and closes it (-1: was never taken). */
void lock_give_up(const char *mountpoint, int *lock);
