/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/vfile.h"

#include <glib.h>

#include "view/views.h"

#ifdef TEST_FAULTS
#include "faults.h"
#else
#define FAULT_ROWS
#endif

#define CPU  "sys/devices/system/cpu"
#define NODE "sys/devices/system/node"

/* A row's number is in node ids, which outlive this process: new rows go to the end. */
const struct vfile vfiles[] = {
	{ .path = "" },
	{ .path = "proc" },
	{ .path = "sys" },
	{ .path = "sys/devices" },
	{ .path = "sys/devices/system" },
	{ .path = CPU, .host_tree = true },
	{ .path = "containers" },
	{ .path = "proc/meminfo", .generate = meminfo_generate, .host = HOST_MEMINFO },
	{ .path = "proc/cpuinfo", .generate = cpuinfo_generate, .host = HOST_CPUINFO },
	{ .path = "proc/stat", .generate = stat_generate, .host = HOST_STAT },
	{ .path = "proc/uptime", .generate = uptime_generate, .host = HOST_UPTIME },
	{ .path = "proc/loadavg", .generate = loadavg_generate, .host = HOST_LOADAVG },
	{ .path = "proc/diskstats", .generate = diskstats_generate, .host = HOST_DISKSTATS },
	{ .path = "proc/swaps", .generate = swaps_generate, .host = HOST_SWAPS },
	{ .path = NODE, .host_tree = true },
	{ .path = CPU "/online", .generate = cpu_online_generate },
	/* cpu0 cannot be taken offline on most hosts, and has no such file there. */
	{ .path = CPU "/cpu%/online", .generate = cpu_is_online_generate, .absent = "1\n" },
	{ .path = NODE "/online", .generate = node_online_generate },
	{ .path = NODE "/has_cpu", .generate = node_has_cpu_generate },
	{ .path = NODE "/has_memory", .generate = node_has_memory_generate },
	{ .path = NODE "/node%/meminfo", .generate = node_meminfo_generate },
	FAULT_ROWS
};

const size_t n_vfiles = G_N_ELEMENTS(vfiles);
