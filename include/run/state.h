/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What is known of a container, in STATE_DIR/NAME: its record (state.json, always whole), and a
 * lock that its monitor holds as long as it lives. So whoever finds the lock free knows that the
 * monitor is gone, whatever ended it. Its container dies with it, unless that has its own pid 1
 * (--no-init) or the host's pids: what lives on is in its cgroups.
 */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RUN_DIR    "/run/lxcfs-clone"
#define STATE_DIR  RUN_DIR "/containers"
#define LEASES_DIR RUN_DIR "/leases"

#define STATE_CREATING "creating"
#define STATE_RUNNING  "running"
#define STATE_EXITED   "exited"

/* The record: state.json has the same names. Texts and arrays are owned. */
struct state {
	char *name, *phase;
	char *status;                    /* for who looks at it: known_status() */
	uint64_t pid, start_ticks;       /* of its pid 1, as the host sees it; 0: not yet */
	uint64_t monitor, monitor_ticks; /* the same of the launcher that stays */
	uint64_t exit_status;
	uint64_t created, finished; /* seconds since the epoch; 0: not yet */
	GPtrArray *command, *layers, *env, *cap_add, *cap_drop, *ulimits;
	char *data; /* the folder of its upper layer */
	char *user, *workdir, *hostname, *pid_file;
	char *seccomp, *seccomp_profile; /* the option; the text of the profile that it names */
	char *address;                   /* in its bridge */
	uint64_t memory, memory_swap;    /* limits: 0: none asked for; UINT64_MAX: unlimited */
	uint64_t cpu_quota, cpu_shares, pids_limit;
	char *cpuset_cpus, *cpuset_mems;
	GPtrArray *device_bps; /* "8:0 read 1048576" */
	bool detached, tty, userns, lxcfs;
	bool host_uts, host_ipc, host_pid, host_cgroup, host_net, host_time;
};

/* Descriptors; -1: not open. */
struct state_place {
	int dir;
	int lock;
};
#define STATE_PLACE_INIT                                                                           \
	{                                                                                          \
		.dir = -1, .lock = -1                                                              \
	}

void state_clear(struct state *state);
#define AUTO_STATE __attribute__((cleanup(state_clear)))
void state_place_close(struct state_place *place);
#define AUTO_PLACE __attribute__((cleanup(state_place_close)))

/*
 * Makes the place of @state->name, locks it and writes the record. Of two at once one gets a
 * sentence, as who comes where own files of that name are left. Nothing is left of a failure.
 */
bool state_create(const struct state *state, struct state_place *ret, GError **error);

bool state_save(const struct state_place *place, const struct state *state, GError **error);

/*
 * The place without its lock taken; a sentence when there is no such container. After a reboot only
 * its own files may be left: that is one whose record was never written, and gets a place.
 */
bool state_open(const char *name, struct state_place *ret, GError **error);

/*
 * The record. One that was never written, because the launcher was killed at once, is read as that
 * of a container that is being created.
 */
bool state_load(const struct state_place *place, const char *name, struct state *ret,
		GError **error);

/* Somebody holds the lock. */
bool state_is_held(const struct state_place *place);

/*
 * Takes it, waiting for @wait_ms at most. False: somebody else has it. True says nothing of a place
 * that is gone.
 */
bool state_take(struct state_place *place, unsigned wait_ms);

/* Removes the place, whose lock must be ours: the name is free again. */
bool state_remove(const char *name, GError **error);

/* It was removed since it was opened, even if there is another one of its name by now. */
bool state_is_gone(const struct state_place *place, const char *name);

/* All names, also those of which own files alone are left; sorted, NULL-terminated, owned. */
char **state_names(void);

/* A record as text, and back: 0 or false with @error. */
char *state_to_json(const struct state *state);
bool state_from_json(const char *text, struct state *ret, GError **error);
