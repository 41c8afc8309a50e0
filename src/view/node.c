/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "cgroup/cpu.h"
#include "util/fd.h"
#include "util/sat.h"
#include "view/meminfo.h"
#include "view/views.h"

#define NODE_DIR "devices/system/node/"

/* A page: the kernel's limit for a file of sysfs. */
#define FILE_SIZE 4096

/* drivers/base/node.c: "Node %d HugePages_Total: %5u". */
#define COUNT_NAME_WIDTH 17

static uint64_t node_total(const struct meminfo_input *in)
{
	return min_u64(in->cg.limit, in->host.mem_total);
}

static uint64_t node_free(const struct meminfo_input *in)
{
	return min_u64(in->host.mem_free, sat_sub(node_total(in), in->cg.usage));
}

static uint64_t node_used(const struct meminfo_input *in)
{
	/* What the two lines above show, each rounded down to kB. */
	return (node_total(in) / 1024 - node_free(in) / 1024) * 1024;
}

/* What /proc/meminfo has not, or has otherwise. */
static const struct meminfo_row rows[] = {
	{ .key = KEY("MemTotal"), .fn = node_total },
	{ .key = KEY("MemFree"), .fn = node_free },
	{ .key = KEY("MemUsed"), .fn = node_used },
	{ .key = KEY("FilePages"), .cg = MEMINFO_CG(file) },
	{ .key = KEY("HugePages_Total"), .count = true },
	{ .key = KEY("HugePages_Free"), .count = true },
	{ .key = KEY("HugePages_Surp"), .count = true },
};

void node_meminfo_render(const char *host_text, unsigned nid, const struct meminfo_input *in,
			 struct text *out)
{
	char prefix[32];

	(void)snprintf(prefix, sizeof(prefix), "Node %u ", nid);
	meminfo_render_rows(host_text, prefix, rows, G_N_ELEMENTS(rows), COUNT_NAME_WIDTH, in, out);
}

/* The lines without "Node N " in front are those of /proc/meminfo. */
static int parse_host(const char *host_text, struct host_meminfo *ret)
{
	g_auto(GStrv) lines = g_strsplit(host_text, "\n", -1);
	g_autoptr(GString) plain = g_string_new(NULL);

	for (char **l = lines; *l; l++) {
		const char *key = strncmp(*l, "Node ", 5) == 0 ? strchr(*l + 5, ' ') : NULL;

		if (key)
			g_string_append_printf(plain, "%s\n", key + 1);
	}
	return host_meminfo_parse(plain->str, ret);
}

int node_meminfo_generate(const struct request *req, struct text *out)
{
	struct cg_node *memory = held_node(&req->ct->held, CG_MEMORY);
	struct meminfo_input in = { 0 };
	char path[64], host_text[FILE_SIZE + 1];
	uint64_t limit = CG_UNLIMITED;
	ssize_t n;
	int r;

	if (!memory)
		return VIEW_E_PASSTHROUGH;
	r = cg_memory_read_node(memory, req->number, &in.cg);
	if (r == -ENOENT)
		return VIEW_E_PASSTHROUGH;
	if (r == 0)
		r = cg_memory_limit_read(memory, &limit);
	if (r < 0)
		return r;
	in.cg.limit = limit;
	(void)snprintf(path, sizeof(path), NODE_DIR "node%u/meminfo", req->number);
	n = fd_read_at(host_sys_dir(req->host), path, host_text, sizeof(host_text));
	r = n < 0 ? (int)n : parse_host(host_text, &in.host);
	if (r == 0)
		node_meminfo_render(host_text, req->number, &in, out);
	return r;
}

/* A list of nodes as the host has it, without those that the container may not use. */
static int generate_list(const struct request *req, const char *path, struct text *out)
{
	struct cg_node *node = held_node(&req->ct->held, CG_CPUSET);
	struct cpuset list, mems;
	char text[FILE_SIZE + 1];
	ssize_t n;
	int r = node ? cg_mems_read(node, &mems) : -ENOENT;

	/* A cpuset (v1) that was not given nodes yet. */
	if (r == -ENOENT || (r >= 0 && cpuset_count(&mems) == 0))
		return VIEW_E_PASSTHROUGH;
	if (r < 0)
		return r;
	n = fd_read_at(host_sys_dir(req->host), path, text, sizeof(text));
	r = n < 0 ? (int)n : cpuset_parse(text, &list);
	if (r < 0)
		return r;
	cpuset_intersect(&list, &mems);
	cpuset_format(&list, out);
	text_str(out, "\n");
	return 0;
}

int node_online_generate(const struct request *req, struct text *out)
{
	return generate_list(req, NODE_DIR "online", out);
}

int node_has_cpu_generate(const struct request *req, struct text *out)
{
	return generate_list(req, NODE_DIR "has_cpu", out);
}

int node_has_memory_generate(const struct request *req, struct text *out)
{
	return generate_list(req, NODE_DIR "has_memory", out);
}
