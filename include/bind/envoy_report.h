/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * What an envoy did, in memory that it shares with who sent it: told at the cost of no system call,
 * and known even if the envoy never comes back.
 */
#include <stdbool.h>

#include "bind/bind.h"

struct envoy_report;

/* To be shared with a child. Returns NULL and sets errno when there is no memory. */
struct envoy_report *envoy_report_new(void);
struct envoy_report *envoy_report_free(struct envoy_report *report); /* returns NULL */

/* In the envoy. Returns false when it is full, and has to be read first. */
bool envoy_report_add(struct envoy_report *report, const char *path, enum bind_outcome outcome,
		      int error);

/* Passes on what was added since it was read last, as done in the container of @pid. */
void envoy_report_read(struct envoy_report *report, pid_t pid, bind_fn *told, void *arg);
