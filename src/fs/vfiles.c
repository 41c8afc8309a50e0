/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/vfile.h"

#include <glib.h>

#include "view/views.h"

/* A row's number is in node ids, which outlive this process: new rows go to the end. */
const struct vfile vfiles[] = {
	{ .path = "" },
	{ .path = "proc" },
	{ .path = "sys" },
	{ .path = "sys/devices" },
	{ .path = "sys/devices/system" },
	{ .path = "sys/devices/system/cpu", .host_tree = true },
	{ .path = "containers" },
	{ .path = "proc/meminfo", .host = HOST_MEMINFO, .generate = meminfo_generate },
	{ .path = "proc/cpuinfo", .host = HOST_CPUINFO, .generate = cpuinfo_generate },
	{ .path = "proc/stat", .host = HOST_STAT, .generate = stat_generate },
	{ .path = "proc/uptime", .host = HOST_UPTIME, .generate = uptime_generate },
	{ .path = "proc/loadavg", .host = HOST_LOADAVG, .generate = loadavg_generate },
	{ .path = "proc/diskstats", .host = HOST_DISKSTATS, .generate = diskstats_generate },
	{ .path = "proc/swaps", .host = HOST_SWAPS, .generate = swaps_generate },
};

const size_t n_vfiles = G_N_ELEMENTS(vfiles);
