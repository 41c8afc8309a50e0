/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/render.h"

#include <errno.h>
#include <fcntl.h>

#include "util/fd.h"

/* How often a cgroup may vanish under us in one read. */
#define MAX_TRIES 8

/* fd_read() and its like want to put a NUL behind. */
static int take(ssize_t n, struct text *out)
{
	if (n < 0)
		return (int)n;
	out->len = (size_t)n;
	return 0;
}

/* The file as the host has it. */
static int render_host(const struct renderer *r, const struct node *node, struct text *out)
{
	int ret;

	if (!node->in_tree)
		return take(host_read(r->host, node->file->host, out->buf, out->size), out);
	host_slow(r->host); /* a file of cpufreq, say, asks another cpu */
	ret = take(fd_read_at(host_sys_dir(r->host), node->path, out->buf, out->size), out);
	if (ret == -ENOENT && node->file && node->file->absent) {
		text_str(out, node->file->absent);
		ret = 0;
	}
	return ret;
}

static int generate(const struct node *node, const struct request *req, struct text *out)
{
	int r = node->file->generate(req, out);

	return r == 0 ? text_result(out) : r;
}

static bool is_out_of_fds(int r)
{
	return r == -EMFILE || r == -ENFILE;
}

static bool is_gone(const struct host *host, pid_t pid)
{
	uint64_t ino;

	return host_pid_ns(host, pid, HOST_NS_PID, &ino) < 0;
}

int render_check(const struct renderer *r, const struct node *node, pid_t reader)
{
	struct container *own, *other;
	int ret = -EACCES;

	if (!node->pid)
		return 0;
	if (reader <= 0) /* in a pid namespace that we cannot see: nobody that we know */
		return -EACCES;
	if (container_is_host_process(r->containers, reader))
		return 0;
	if (container_lookup(r->containers, reader, &own) != 0)
		return -EACCES;
	if (container_lookup(r->containers, node->pid, &other) == 0) {
		ret = own == other ? 0 : -EACCES;
		container_put(r->containers, other);
	}
	container_put(r->containers, own);
	return ret;
}

/* Once: -ENODEV when the container's cgroup was gone, VIEW_E_PASSTHROUGH for the host's file. */
static int render_view(const struct renderer *r, const struct node *node, struct request *req,
		       struct text *out, uint64_t *ret_owner)
{
	int ret = container_lookup(r->containers, req->pid, &req->ct);

	if (ret == CONTAINER_E_HOST)
		return node->pid && is_gone(r->host, node->pid) ? -ESRCH : VIEW_E_PASSTHROUGH;
	if (ret < 0)
		return ret;
	*ret_owner = state_place(req->ct->state);
	out->len = 0;
	out->overflow = false;
	ret = generate(node, req, out);
	if (ret == -ENODEV || ret == -ENOENT) {
		ret = held_is_gone(&req->ct->held) ? -ENODEV : ret;
		container_drop(r->containers, req->ct, false);
	}
	container_put(r->containers, req->ct);
	return ret;
}

int render(const struct renderer *r, const struct node *node, pid_t reader, struct text *out,
	   uint64_t *ret_owner)
{
	struct request req = { .host = r->host,
			       .containers = r->containers,
			       .pid = node->pid ? node->pid : reader,
			       .options = r->options,
			       .number = node->number };
	int ret;

	*ret_owner = RENDER_HOST;
	/* Each time: the pid may be another process's by now, in another container. */
	if (render_check(r, node, reader) < 0)
		return -EACCES;
	if (node->kind == NODE_HOST_FILE)
		return render_host(r, node, out);
	/* A cgroup that vanished under us is looked up once more: the container may have moved. */
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		ret = render_view(r, node, &req, out, ret_owner);
		if (is_out_of_fds(ret) && tries == 0)
			container_table_relieve(r->containers);
		else if (ret != -ENODEV && ret != -ENOENT)
			break;
	}
	/* Who moves about all the time, and removes where it was, shall not see the host. */
	if (ret != VIEW_E_PASSTHROUGH && ret != -ENOENT)
		return ret;
	out->len = 0;
	out->overflow = false;
	return render_host(r, node, out);
}
