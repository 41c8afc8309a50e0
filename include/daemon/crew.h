/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The workers: one serves, another one, started and ready, stands by to take its place. It does so
 * when the first one dies or hangs, or, on an upgrade, when it is of another binary.
 */
#include "daemon/child.h"
#include "daemon/shared.h"

struct crew;

/* All borrowed but @executable. @handed has no .control. */
struct crew *crew_new(int executable, char **argv, const struct handed *handed,
		      const sigset_t *mask, const struct shared *shared);

/* Ends every worker, the serving one by asking it first. */
struct crew *crew_free(struct crew *crew);

/* A worker of a former keeper goes on serving. 0 or -errno. */
int crew_adopt(struct crew *crew, const struct handed *handed);

/* Descriptors to poll for reading (-1: none), and for how many milliseconds at most. */
#define CREW_N_FDS 6
int crew_fds(const struct crew *crew, int fds[CREW_N_FDS]);

enum crew_news {
	CREW_SAME,
	CREW_UPGRADED,  /* the binary of crew_upgrade() serves, see crew_executable() */
	CREW_UNMOUNTED, /* nobody has the file system mounted any more, or it was aborted */
};

/* Does what is to be done; never waits long. */
enum crew_news crew_run(struct crew *crew);

/*
 * Start workers from @executable, which is given away, from now on: if the first gets ready, and
 * serves well for a second. Until then the former binary's is at hand.
 */
void crew_upgrade(struct crew *crew, int executable);

/* The binary that workers are started from, borrowed. */
int crew_executable(const struct crew *crew);

/* NULL: none. For what is told to the operator. */
const struct child *crew_serving(const struct crew *crew);
const struct child *crew_standby(const struct crew *crew);

/* Requests that were answered, a second, over the last seconds. */
uint64_t crew_requests_per_second(const struct crew *crew);

/* Ends all but the one that serves: whoever comes next starts others. */
void crew_dismiss_others(struct crew *crew);
