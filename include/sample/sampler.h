/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What is done without being asked: load averages each 5 s, and forgetting what is over. */
#include "container/container.h"

struct sampler;

/* Borrowed arguments outlive it. @loadavg false: only forgetting. */
struct sampler *sampler_new(const struct host *host, struct container_table *containers,
			    bool loadavg);
struct sampler *sampler_free(struct sampler *sampler);

/*
 * Descriptors to poll for reading, and for how long at most, in milliseconds (-1: no end, there is
 * no container). Then call sampler_run(), whatever came of the poll.
 */
#define SAMPLER_N_FDS 2
int sampler_fds(const struct sampler *sampler, int fds[SAMPLER_N_FDS]);
void sampler_run(struct sampler *sampler);

/* How many containers it found at the last run. */
size_t sampler_containers(const struct sampler *sampler);
