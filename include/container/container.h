/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * From the pid of a reader to the container it is in. Containers are cached by the namespace (or,
 * where there is none, the cgroup) that makes them one; the namespace is held open while it serves
 * as a key, since the kernel gives its number away again.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "container/held.h"
#include "container/state.h"
#include "host/host.h"
#include "host/pid.h"

/* Positive: the caller of container_lookup() handles it. */
enum { CONTAINER_E_HOST = 1 }; /* the reader is in no container, or gone: show the host's file */

struct container {
	struct held held;    /* open between container_lookup() and container_put() */
	char *roots;         /* its root cgroups, in the form of /proc/PID/cgroup */
	int init_pidfd;      /* -1 without init */
	pid_t init;          /* host pid; 0: it has no init of its own (host's pid namespace) */
	uint64_t start_ns;   /* boottime at which init started; 0 without init: since boot */
	struct state *state; /* what outlives this process */
	_Atomic uint64_t load_read_ns; /* boottime when its load was last asked for */
};

struct container_table;

/*
 * All arguments are borrowed and outlive the table. To be made before there are threads, see
 * fd_make_room().
 */
struct container_table *container_table_new(const struct host *host, const struct cg_layout *layout,
					    struct state_table *states);
struct container_table *container_table_free(struct container_table *table);

/*
 * The container of the process or thread @pid (as our own pid namespace numbers it; 0: not in it).
 * Thread-safe; warm, it costs one or two readlinks, and with the host's cgroup namespace one read
 * of /proc/PID/cgroup.
 *
 * Returns 0 with *@ret to be given back by container_put(), CONTAINER_E_HOST, or -errno.
 */
int container_lookup(struct container_table *table, pid_t pid, struct container **ret);
void container_put(struct container_table *table, struct container *ct);

/*
 * The next lookup makes a new one, since a cgroup of this one turned out to be gone (-ENODEV). With
 * @gone the container is no more, and neither are its counters.
 */
void container_drop(struct container_table *table, struct container *ct, bool gone);

/* @pid is in our own pid namespace and cgroup namespace: a process of the host. */
bool container_is_host_process(const struct container_table *table, pid_t pid);

/* The boottime offset of the time namespace that @pid is in; 0 in the host's. */
int64_t container_timens_offset(const struct container_table *table, pid_t pid);

/* The containers known now, each to be given back; *@ret is g_free()d. Returns how many. */
size_t container_table_list(struct container_table *table, struct container ***ret);

/* How many cpus the counters of a container have room for: the host's possible ones. */
unsigned container_table_cpus(const struct container_table *table);

/*
 * A cgroup that has all tasks of @ct, which may be one that nothing is held open of. Returns 0 with
 * a reference in *@ret, NULL when they are in the root, or -errno, as when it is gone.
 */
int container_tasks(struct container_table *table, struct container *ct, struct cg_node **ret);

/* Becomes readable (poll) when a container's init has died. */
int container_table_fd(const struct container_table *table);

/* Forget the containers whose init died. */
void container_table_reap(struct container_table *table);

/* Descriptors have run out: close what is kept of containers and readers that nobody uses now. */
void container_table_relieve(struct container_table *table);

/*
 * Close what has been idle for @idle_ms, and forget containers whose cgroup is gone, and those
 * without init that have been idle for ten times as long.
 */
void container_table_sweep(struct container_table *table, uint64_t idle_ms);

/* Called after a container was first seen, from the thread that saw it. */
void container_table_on_new(struct container_table *table, void (*fn)(void *), void *arg);
