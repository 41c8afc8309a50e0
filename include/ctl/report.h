/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What was done to containers' mounts, for people and for scripts: "PID PATH HOW" a line. */
#include "bind/bind.h"

/* A bind_fn: a line on standard output for what was done, a sentence on standard error else. */
void report_event(const struct bind_event *event, void *unused);

/*
 * The last line, "@verb N files in M containers", and a sentence for what was left. Returns an exit
 * status.
 */
int report_end(const struct bind_report *report, const char *verb, unsigned files);
