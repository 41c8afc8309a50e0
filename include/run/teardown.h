/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What a container leaves. All of it is found by the container's name, so that it does not matter
 * how far its launcher came.
 */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/state.h"

/* Its processes, cgroups, network and ids. Goes on after a failure; the first is in @error. */
bool teardown_resources(const struct host *host, const char *name, GError **error);

/* These, its files and its state, whose lock must be ours: the name is free again. */
bool teardown_all(const struct host *host, const char *name, GError **error);
