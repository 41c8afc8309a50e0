/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tells since when the files of containers work again: looks every few milliseconds whether the
 * dead ones were replaced. One for all containers, because one in each takes half a CPU from what
 * it looks at when there are sixty.
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

static struct box {
	int root;       /* of a process in it */
	int n_replaced; /* files in this phase, from the first one on */
} boxes[N_SLOTS];
static int n_boxes;

static void add_box(const char *pid)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%s/root", pid);
	if (++n_boxes == N_SLOTS)
		errx(2, "more than %d processes", N_SLOTS - 1);
	boxes[n_boxes].root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (boxes[n_boxes].root < 0)
		err(1, "%s", path);
}

/* Nothing is asked of the file system: who serves it has enough to do. */
static bool is_live(int root, const char *file, uint64_t minor)
{
	struct statx about;

	return statx(root, file + 1, AT_STATX_DONT_SYNC, STATX_TYPE, &about) == 0 &&
	       about.stx_dev_minor == minor;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void look(struct slot *slots, uint64_t phase, uint64_t live, char **files, int n_files)
{
	for (int i = 1; i <= n_boxes; i++) {
		struct box *b = &boxes[i];

		if (atomic_load(&slots[i].phase) == phase)
			continue;
		while (b->n_replaced < n_files && is_live(b->root, files[b->n_replaced], live))
			b->n_replaced++;
		if (b->n_replaced < n_files)
			continue;
		atomic_store(&slots[i].since_ns, now_ns());
		atomic_store(&slots[i].phase, phase);
	}
}

int main(int argc, char **argv)
{
	struct slot *slots = NULL;
	uint64_t phase, last = END;
	int c;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((c = getopt(argc, argv, "c:p:")) > 0) {
		if (c == 'c')
			slots = slots_map(optarg);
		else if (c == 'p')
			add_box(optarg);
	}
	if (!slots || n_boxes == 0 || optind == argc)
		errx(2, "usage: lookout -c CONTROL -p PID... FILE...");
	while ((phase = atomic_load(&slots[0].phase)) != END) {
		uint64_t live = atomic_load(&slots[0].since_ns);

		for (int i = 1; phase != last && i <= n_boxes; i++)
			boxes[i].n_replaced = 0;
		last = phase;
		if (live)
			look(slots, phase, live, argv + optind, argc - optind);
		(void)usleep(LOOK_US);
	}
	return 0;
}
