/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Which devices a container may use: everything is denied but a list. cgroups_make() does it. */
#include <glib.h>
#include <linux/bpf.h>
#include <stdbool.h>

#include "cgroup/group.h"
#include "run/spec.h"

/* The numbers of a rule may be any. */
#define DEVICE_ANY UINT32_MAX

struct device_rule {
	mode_t type; /* S_IFCHR or S_IFBLK */
	unsigned major, minor;
	unsigned access; /* SPEC_DEVICE_ bits */
};

/* The rules of every container, then those of @devices (NULL: none). Owned array. */
GArray *devices_rules(const GArray *devices);

/* A rule as v1's devices.allow takes it, "c 1:3 rwm". Owned. */
char *devices_rule_text(const struct device_rule *rule);

/*
 * The program for BPF_CGROUP_DEVICE that allows what @rules name. Owned array of struct bpf_insn.
 */
GArray *devices_program(const GArray *rules);

/* Let @group have @rules alone. */
bool devices_limit(const struct cg_group *group, const GArray *rules, GError **error);
