/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The lines of the host's /proc/stat that containers share. */
#include <stdint.h>

struct host_stat {
	uint64_t intr, softirq; /* totals: the first number of each line */
	uint64_t ctxt;
	uint64_t btime; /* seconds since the epoch */
	uint64_t processes;
};

/* Absent lines stay 0. 0 or -EBADMSG. */
int host_stat_parse(const char *text, struct host_stat *ret);

/* The "cpuN …" line of @cpu in @text, with its newline; *@ret_len is its length. NULL: none. */
const char *host_stat_cpu_line(const char *text, unsigned cpu, uint64_t *ret_len);
