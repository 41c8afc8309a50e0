/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * One function a virtual file: appends the whole file, as the container sees it, to @out. Each
 * returns 0, VIEW_E_PASSTHROUGH, -ENODEV (or -ENOENT) when the container's cgroup is gone, or
 * -errno.
 */
#include "util/text.h"
#include "view/request.h"

int meminfo_generate(const struct request *req, struct text *out);   /* /proc/meminfo */
int swaps_generate(const struct request *req, struct text *out);     /* /proc/swaps */
int cpuinfo_generate(const struct request *req, struct text *out);   /* /proc/cpuinfo */
int stat_generate(const struct request *req, struct text *out);      /* /proc/stat */
int uptime_generate(const struct request *req, struct text *out);    /* /proc/uptime */
int loadavg_generate(const struct request *req, struct text *out);   /* /proc/loadavg */
int diskstats_generate(const struct request *req, struct text *out); /* /proc/diskstats */

/* /sys/devices/system/cpu/online, and cpuN/online for req->number. */
int cpu_online_generate(const struct request *req, struct text *out);
int cpu_is_online_generate(const struct request *req, struct text *out);

/* /sys/devices/system/node/online, has_cpu, has_memory, and nodeN/meminfo for req->number. */
int node_online_generate(const struct request *req, struct text *out);
int node_has_cpu_generate(const struct request *req, struct text *out);
int node_has_memory_generate(const struct request *req, struct text *out);
int node_meminfo_generate(const struct request *req, struct text *out);
