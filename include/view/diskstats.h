/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* /proc/diskstats: what is shown, apart from where it comes from. */
#include "cgroup/io.h"
#include "util/text.h"

/* A line for each device of @host_text, in its order, that @io has used. */
void diskstats_render(const char *host_text, const struct cg_io *io, struct text *out);
