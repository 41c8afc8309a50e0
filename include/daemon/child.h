/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Starting processes of this program on the mount's descriptors, and telling when they are dead. */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * On the control socket of a worker. It says WORKER_READY; WORKER_GO has it serve. Told to end by
 * SIGTERM, it says WORKER_DRAINED once it has nothing in hand, before it tidies up.
 */
#define WORKER_READY   'R'
#define WORKER_GO      'G'
#define WORKER_DRAINED 'D'

/* What is handed on from process to process. -1: none. */
struct handed {
	int fuse;    /* /dev/fuse */
	int shared;  /* the memory that outlives workers */
	int lock;    /* of the mount point */
	int control; /* to the keeper, to the worker */
	pid_t peer;  /* the process at its other end, or that was there; 0: none */
};

#define HANDED_NONE ((struct handed){ .fuse = -1, .shared = -1, .lock = -1, .control = -1 })

/* A child process, or one that the former keeper started. */
struct child {
	pid_t pid; /* 0: none */
	int pidfd;
	int control;
	uint64_t since_ms; /* coarse clock */
	bool ready;
};

#define CHILD_NONE ((struct child){ .pidfd = -1, .control = -1 })

/*
 * In a process that has just been forked off, or at the end of one: become @executable, of our
 * program, with the arguments @argv, less what an earlier call put in there, and @option
 * ("--worker" or "--keeper"), which names @handed. Returns only if that fails.
 */
void child_exec(int executable, char **argv, const char *option, const struct handed *handed);

/*
 * In a process that has just been forked off for something else: keeps no descriptor of ours, which
 * would live as long as it (/dev/fuse, the lock), and no signal blocked.
 */
void child_be_plain(void);

/*
 * Start a worker on @handed, whose .control is ignored, with the signal mask @mask. Returns 0 or
 * -errno.
 */
int child_start(int executable, char **argv, const struct handed *handed, const sigset_t *mask,
		struct child *ret);

/*
 * The worker @handed->peer that another keeper started: .control is taken, or closed. Without one
 * (-1) it hears signals alone. 0, or -ESRCH: it is dead, or -errno.
 */
int child_adopt(const struct handed *handed, struct child *ret);

/* Whether @byte has come from it; never waits. One that hung up is not listened to any more. */
bool child_heard(struct child *child, char byte);
bool child_tell(const struct child *child, char byte);

bool child_is_dead(const struct child *child);
void child_signal(const struct child *child, int signal);

/*
 * Waits up to @timeout_ms for its death and forgets it. Returns a sentence's end that tells why it
 * died ("was ended by signal 9 (Killed)"), to be g_free()d, or NULL: it lives, and is not
 * forgotten.
 */
char *child_end(struct child *child, int timeout_ms);

/* Forgets it, dead or not. */
void child_clear(struct child *child);
