/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/container.h"

#include <glib.h>
#include <poll.h>
#include <sys/epoll.h>

#include "container/table.h"

/* So many times as long as descriptors are kept. */
#define FORGET_AFTER 10

int container_tasks(struct container_table *t, struct container *ct, struct cg_node **ret)
{
	if (table_hot_tasks(t, ct, ret))
		return 0;
	return held_open_tasks(table_tree(t), table_source(t)->layout, ct->roots, ret);
}

static bool init_is_dead(const struct container *ct)
{
	struct pollfd p = { .fd = ct->init_pidfd, .events = POLLIN };

	return p.fd >= 0 && poll(&p, 1, 0) == 1;
}

/* For those without an init to watch. */
static bool cgroup_is_gone(const struct container_table *t, const struct container *ct)
{
	struct cg_node *tasks;

	if (ct->init_pidfd >= 0)
		return false;
	if (held_open_tasks(table_tree(t), table_source(t)->layout, ct->roots, &tasks) < 0)
		return true;
	cg_node_unref(tasks);
	return false;
}

/*
 * Of one without init nothing tells that it ends: a cgroup namespace does long before its cgroup.
 * Who reads again goes on with the counters that there were.
 */
static bool is_forgotten(const struct container *ct, uint64_t idle_ms)
{
	return ct->init_pidfd < 0 && table_idle_ms(ct) > idle_ms;
}

static bool is_one_of(const struct epoll_event *events, int n, pid_t init)
{
	for (int i = 0; i < n; i++)
		if (events[i].data.fd == init)
			return true;
	return false;
}

void container_table_reap(struct container_table *t)
{
	struct epoll_event events[64];
	int n_events;

	while ((n_events = epoll_wait(container_table_fd(t), events, G_N_ELEMENTS(events), 0)) >
	       0) {
		g_autofree struct container **list = NULL;
		size_t n = container_table_list(t, &list);

		for (size_t i = 0; i < n; i++) {
			if (is_one_of(events, n_events, list[i]->init) && init_is_dead(list[i]))
				container_drop(t, list[i], true);
			container_put(t, list[i]);
		}
	}
}

void container_table_sweep(struct container_table *t, uint64_t idle_ms)
{
	g_autofree struct container **list = NULL;
	size_t n = container_table_list(t, &list);

	for (size_t i = 0; i < n; i++) {
		if (is_forgotten(list[i], FORGET_AFTER * idle_ms))
			container_drop(t, list[i], false);
		else if (cgroup_is_gone(t, list[i]))
			container_drop(t, list[i], true);
		container_put(t, list[i]);
	}
	table_cool_down(t, 0, idle_ms);
	readers_sweep(table_readers(t), idle_ms);
}

void container_table_relieve(struct container_table *t)
{
	table_cool_down(t, 0, 0);
	readers_sweep(table_readers(t), 0);
}
