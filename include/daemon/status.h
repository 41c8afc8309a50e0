/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What the keeper knows of itself and tells who asks. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define STATUS_N_RECENT   8u
#define STATUS_REASON_LEN 64u

struct status_restart {
	char reason[STATUS_REASON_LEN]; /* "killed by signal 9" */
	uint64_t age_ms;
};

struct status {
	const char *version, *mountpoint;
	pid_t keeper, worker, standby; /* 0: there is none */
	uint64_t uptime_ms;
	uint64_t restarts, upgrades, keepers;          /* workers and keepers replaced */
	struct status_restart recent[STATUS_N_RECENT]; /* the latest first */
	unsigned n_recent;
	bool holder;  /* a process of ours outlives us */
	bool resend;  /* the kernel can ask again what no journal has any more */
	bool beneath; /* the kernel can mount beneath a mount */
	unsigned
		stored_fds; /* that were sent to systemd's store, which may have no room for them */
	const char *repair; /* see repair_state() */
	uint64_t containers; /* known */
	uint64_t requests;   /* since the start */
	uint64_t requests_per_second;
};

/* An answer fits in this many bytes, with a mount point of PATH_MAX. */
#define STATUS_TEXT_SIZE 24576u

/*
 * Lines of "key value", the value escaped as in mountinfo; "restart AGE_MS REASON" for each of
 * .recent. Returns the length of what is in @buf (not NUL-terminated), or -EFBIG.
 */
ssize_t status_render(const struct status *status, char *buf, size_t size);
