/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
#include "cgroup/layout.h"
#include "host/host.h"

/*
 * The cgroup hierarchies that are mounted in our own mount namespace, see cg_layout_detect().
 * Returns 0 with an owned *@ret, or -errno.
 */
int hierarchies_detect(const struct host *host, struct cg_layout **ret);
