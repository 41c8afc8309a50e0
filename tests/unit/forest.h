/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* A small host and the tree that is made of it. */
#include "fixture.h"

#include <sys/mman.h>

#include "fs/tree.h"
#include "host/host.h"

struct forest {
	struct lab lab;
	struct host *host;
	void *memory;
	struct tree tree;
};

/* A host with two cpus, of which cpu0 has no file "online", as on most machines. */
FIXTURE_UNUSED static void forest_make(struct forest *f)
{
	static const char *const files[] = {
		"proc/meminfo",
		"proc/cpuinfo",
		"proc/stat",
		"proc/uptime",
		"proc/loadavg",
		"proc/diskstats",
		"proc/1000/stat",
		"sys/devices/system/cpu/online",
		"sys/devices/system/cpu/possible",
		"sys/devices/system/cpu/cpu0/topology/core_id",
		"sys/devices/system/cpu/cpu1/online",
		"sys/devices/system/cpu/cpu1/topology/core_id",
		"sys/devices/system/cpu/cpufreq/cpu1/scaling",
		"sys/devices/system/secret",
		"sys/devices/system/node/node12/meminfo",
	};

	*f = (struct forest){ 0 };
	lab_make(&f->lab);
	for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
		lab_write(&f->lab, files[i], "1\n");
	{
		g_autofree char *link =
			g_build_filename(f->lab.dir, "sys/devices/system/cpu/cpu1/subsystem", NULL);

		assert_int_equal(symlink("../../../../bus/cpu", link), 0);
	}
	assert_int_equal(host_open(f->lab.dir, &f->host), 0);
	f->memory = mmap(NULL, names_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			 -1, 0);
	assert_true(f->memory != MAP_FAILED);
	f->tree = (struct tree){ .host = f->host, .names = names_new(f->memory) };
}

FIXTURE_UNUSED static void forest_end(struct forest *f)
{
	names_free(f->tree.names);
	munmap(f->memory, names_size());
	host_free(f->host);
	lab_end(&f->lab);
}

/* Goes down @path from the root, each step by the node's id alone, as the kernel asks. */
FIXTURE_UNUSED static int walk(struct forest *f, const char *path, struct node *ret)
{
	g_auto(GStrv) parts = g_strsplit(path, "/", -1);
	uint64_t id = TREE_ROOT_ID;

	for (char **p = parts; *path && *p; p++) {
		struct node dir, child = { 0 };
		int r = tree_node(&f->tree, id, &dir);

		if (r == 0)
			r = tree_lookup(&f->tree, &dir, *p, &child);
		if (r < 0)
			return r;
		id = child.id;
	}
	return tree_node(&f->tree, id, ret);
}
