/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* /proc/stat: what is shown, apart from where it comes from. */
#include "host/stat.h"
#include "util/text.h"
#include "view/cpus.h"

struct stat_input {
	const struct cpu_counters *counters;
	struct host_stat host;
	int64_t timens_offset_ns; /* boottime offset of the reader's time namespace */
	uint32_t running, blocked;
};

void stat_render(const struct stat_input *in, struct text *out);

/*
 * What /proc/stat shows as idle, in ticks, where nobody accounts the container's CPU time: that of
 * the host's lines. 0, -ENODEV or -errno.
 */
struct request;
int stat_host_idle(const struct request *req, uint64_t *ret);

/*
 * Where nobody accounts the container's CPU time: the host's lines of the cpus it sees, and the
 * sum of those.
 */
int stat_render_host(const char *host_text, const struct cpuset *visible, struct text *out);
