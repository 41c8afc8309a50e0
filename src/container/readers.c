/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/readers.h"

#include <glib.h>
#include <pthread.h>
#include <stdbool.h>

#include "host/host.h"
#include "util/fd.h"
#include "util/sys.h"

/* A thread's slot is its tid modulo this: one that shares a slot takes turns, no more. */
#define N_SLOTS 256

/* How long what could have changed is taken to be as it was. */
#define LATELY_MS 100u

struct slot {
	pthread_mutex_t lock; /* only ever tried: who finds it taken does without */
	pid_t tid;            /* 0: free */
	int ns_dir;           /* -1: seen once */
	int cgroup;           /* /proc/TID/cgroup */
	uint64_t pidns, timens;
	uint64_t used_ms, settled_ms, timens_ms; /* coarse clock; 0: never */
};

struct readers {
	const struct host *host;
	struct slot slots[N_SLOTS];
};

struct readers *readers_new(const struct host *host)
{
	struct readers *all = g_new0(struct readers, 1);

	all->host = host;
	for (size_t i = 0; i < N_SLOTS; i++) {
		pthread_mutex_init(&all->slots[i].lock, NULL);
		all->slots[i].ns_dir = all->slots[i].cgroup = -1;
	}
	return all;
}

static void slot_clear(struct slot *s)
{
	fd_close(&s->ns_dir);
	fd_close(&s->cgroup);
	s->tid = 0;
	s->settled_ms = s->timens_ms = 0;
}

struct readers *readers_free(struct readers *all)
{
	if (!all)
		return NULL;
	for (size_t i = 0; i < N_SLOTS; i++) {
		slot_clear(&all->slots[i]);
		pthread_mutex_destroy(&all->slots[i].lock);
	}
	g_free(all);
	return NULL;
}

/* The second time: what is opened here stands for the thread that reads now. */
static int slot_open(struct slot *s, const struct host *host)
{
	int r;

	s->ns_dir = host_pid_ns_dir(host, s->tid);
	if (s->ns_dir < 0)
		return s->ns_dir;
	s->cgroup = host_pid_cgroup_open(host, s->tid);
	r = s->cgroup < 0 ? s->cgroup : host_ns_at(s->ns_dir, HOST_NS_PID, &s->pidns);
	return r;
}

static int place_by_slot(const struct slot *s, uint64_t own_cgroupns, char *buf, size_t size,
			 struct reader_place *ret)
{
	ssize_t n;
	int r = host_ns_at(s->ns_dir, HOST_NS_CGROUP, &ret->cgroupns);

	if (r < 0 || ret->cgroupns != own_cgroupns)
		return r;
	ret->pidns = s->pidns;
	if (s->used_ms - s->settled_ms < LATELY_MS)
		return 0;
	ret->cgroups = buf;
	n = fd_read_once(s->cgroup, buf, size);
	return n < 0 ? (int)n : 0;
}

static int place_by_tid(const struct host *host, pid_t tid, uint64_t own_cgroupns, char *buf,
			size_t size, struct reader_place *ret)
{
	ssize_t n;
	int r = host_pid_ns(host, tid, HOST_NS_CGROUP, &ret->cgroupns);

	if (r < 0 || ret->cgroupns != own_cgroupns)
		return r;
	r = host_pid_ns(host, tid, HOST_NS_PID, &ret->pidns);
	if (r < 0)
		return r;
	ret->cgroups = buf;
	n = host_pid_cgroup(host, tid, buf, size);
	return n < 0 ? (int)n : 0;
}

/* With the slot locked. Returns whether @tid is found in it, its files open. */
static bool slot_ready(struct slot *s, const struct host *host, pid_t tid)
{
	bool known = s->tid == tid;

	if (!known)
		slot_clear(s);
	s->tid = tid;
	s->used_ms = sys_coarse_ms();
	if (!known)
		return false;
	if (s->ns_dir < 0 && slot_open(s, host) < 0)
		slot_clear(s);
	return s->ns_dir >= 0;
}

int readers_place(struct readers *all, pid_t tid, uint64_t own_cgroupns, char *buf, size_t size,
		  struct reader_place *ret)
{
	struct slot *s = &all->slots[(uint32_t)tid % N_SLOTS];
	bool done = false;
	int r = 0;

	*ret = (struct reader_place){ 0 };
	if (pthread_mutex_trylock(&s->lock) == 0) {
		if (slot_ready(s, all->host, tid)) {
			r = place_by_slot(s, own_cgroupns, buf, size, ret);
			done = r == 0;
			if (r < 0) /* the thread that had this tid is gone */
				slot_clear(s);
		}
		pthread_mutex_unlock(&s->lock);
	}
	return done ? 0 : place_by_tid(all->host, tid, own_cgroupns, buf, size, ret);
}

/* Calls @fn for the slot of @tid if that is what it holds. */
static void with_slot(struct readers *all, pid_t tid, void (*fn)(struct slot *s, void *arg),
		      void *arg)
{
	struct slot *s = &all->slots[(uint32_t)tid % N_SLOTS];

	if (pthread_mutex_trylock(&s->lock) != 0)
		return;
	if (s->tid == tid && s->ns_dir >= 0)
		fn(s, arg);
	pthread_mutex_unlock(&s->lock);
}

static void settle(struct slot *s, void *arg)
{
	const bool *settled = arg;

	s->settled_ms = *settled ? sys_coarse_ms() : 0;
}

void readers_settle(struct readers *all, pid_t tid)
{
	bool settled = true;

	with_slot(all, tid, settle, &settled);
}

void readers_unsettle(struct readers *all, pid_t tid)
{
	bool settled = false;

	with_slot(all, tid, settle, &settled);
}

static void copy_timens(struct slot *s, void *arg)
{
	uint64_t *ino = arg, now = sys_coarse_ms();

	if (now - s->timens_ms >= LATELY_MS) {
		if (host_ns_at(s->ns_dir, HOST_NS_TIME, &s->timens) < 0)
			return;
		s->timens_ms = now;
	}
	*ino = s->timens;
}

int readers_timens(struct readers *all, pid_t tid, uint64_t *ret_ino)
{
	*ret_ino = 0;
	with_slot(all, tid, copy_timens, ret_ino);
	return *ret_ino ? 0 : host_pid_ns(all->host, tid, HOST_NS_TIME, ret_ino);
}

void readers_sweep(struct readers *all, uint64_t idle_ms)
{
	uint64_t now = sys_coarse_ms();

	for (size_t i = 0; i < N_SLOTS; i++) {
		struct slot *s = &all->slots[i];

		if (pthread_mutex_trylock(&s->lock) != 0)
			continue;
		if (now - s->used_ms > idle_ms)
			slot_clear(s);
		pthread_mutex_unlock(&s->lock);
	}
}
