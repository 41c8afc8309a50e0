/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells since when the files of containers work again: looks every few milliseconds whether the
 * dead ones were replaced. One for all containers: one in each takes half a CPU from what it looks
 * at when there are sixty.
 *
 *   lookout -c CONTROL -p PID... FILE...
 *
 * CONTROL is a file of slots (slots.h), those of the processes in their order.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "slots.h"

#define LOOK_US 2000

struct container {
	int root;   /* of a process in it */
	int n_live; /* files that were live in this phase, from the first one on */
	struct slot *slot;
};

static struct {
	struct slot *slots;
	struct container containers[WITNESS_SLOTS - 1];
	int n_containers;
	char **files;
	int n_files;
} l;

static void add_container(const char *pid)
{
	struct container *c = &l.containers[l.n_containers];
	char path[64];

	if (l.n_containers == WITNESS_SLOTS - 1)
		errx(2, "more than %d processes", l.n_containers);
	(void)snprintf(path, sizeof(path), "/proc/%s/root", pid);
	c->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->root < 0)
		err(1, "%s", path);
	c->slot = &l.slots[++l.n_containers];
}

/* Nothing is asked of the file system: who serves it has enough to do. */
static bool is_live(const struct container *c, int file, uint64_t minor)
{
	struct statx about;

	return statx(c->root, l.files[file] + 1, AT_STATX_DONT_SYNC, STATX_TYPE, &about) == 0 &&
	       about.stx_dev_minor == minor;
}

/* All at once, at last: one may have gone again since it was live. */
static bool all_are_live(struct container *c, uint64_t minor)
{
	while (c->n_live < l.n_files && is_live(c, c->n_live, minor))
		c->n_live++;
	if (c->n_live < l.n_files)
		return false;
	for (c->n_live = 0; c->n_live < l.n_files; c->n_live++)
		if (!is_live(c, c->n_live, minor))
			return false;
	return true;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void look(uint64_t phase, uint64_t minor)
{
	for (int i = 0; i < l.n_containers; i++) {
		struct container *c = &l.containers[i];

		if (atomic_load(&c->slot->phase) == phase || !all_are_live(c, minor))
			continue;
		atomic_store(&c->slot->since_ns, now_ns());
		atomic_store(&c->slot->phase, phase);
	}
}

static void set_up(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "c:p:")) > 0) {
		if (c == 'c')
			l.slots = slots_map(optarg);
		else if (c == 'p' && l.slots)
			add_container(optarg);
	}
	l.files = argv + optind;
	l.n_files = argc - optind;
	if (l.n_containers == 0 || l.n_files == 0)
		errx(2, "usage: lookout -c CONTROL -p PID... FILE...");
	for (int i = 0; i < l.n_files; i++)
		if (l.files[i][0] != '/')
			errx(2, "%s: not an absolute path", l.files[i]);
}

int main(int argc, char **argv)
{
	uint64_t phase, last = PHASE_END;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_up(argc, argv);
	while ((phase = atomic_load(&l.slots[0].phase)) != PHASE_END) {
		uint64_t minor = atomic_load(&l.slots[0].since_ns);

		for (int i = 0; phase != last && i < l.n_containers; i++)
			l.containers[i].n_live = 0;
		last = phase;
		if (minor)
			look(phase, minor);
		(void)usleep(LOOK_US);
	}
	return 0;
}
