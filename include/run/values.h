/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* The values of run's flags that are more than a text: each a flag_set of a struct spec. */
#include <glib.h>
#include <stdbool.h>

#include "run/spec.h"

typedef bool values_set(void *spec, const char *value, GError **error);

values_set values_rootfs, values_name, values_hostname, values_env;
values_set values_bind, values_tmpfs, values_device, values_ulimit;
values_set values_memory, values_memory_swap, values_cpus, values_cpu_shares;
values_set values_cpuset_cpus, values_cpuset_mems, values_pids;
values_set values_read_bps, values_write_bps;
values_set values_userns, values_security, values_uts, values_ipc, values_pid, values_cgroupns;

/* "K=V", or what our own environment has for "K", if anything. */
bool values_add_env(GPtrArray *env, const char *value, GError **error);

/* "NAME=SOFT[:HARD]", a limit of setrlimit(2). */
bool values_parse_ulimit(const char *value, struct spec_rlimit *ret, GError **error);

/* A name of a container: letters, digits, and "_.-" behind the first; 63 at most. */
bool values_is_name(const char *text);
