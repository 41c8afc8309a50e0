/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Putting our files back into containers that an instance which died left with dead ones. */
#include "daemon/shared.h"

/* This keeper's attempts; zeroed at first. */
struct repair {
	unsigned failed;
	uint64_t failed_ms; /* the last one */
};

/*
 * To be called once @mountpoint is served, and now and then from then on. Starts a process that
 * looks through all containers for dead mounts of @mountpoint and puts live ones in their place,
 * unless
 * @record says that it is at work, or that one did. It logs a line if there was something to do,
 * and ends within two minutes. What it could not do, or not in time, is tried again, a few times
 * with growing pauses. It keeps none of our descriptors.
 */
void repair_run(struct repair *repair, struct keeper_record *record, const char *mountpoint);

/* How far it is, in a word: "running", "done", "waiting" to try again, or "failed" for good. */
const char *repair_state(const struct repair *repair, const struct keeper_record *record);
