/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Capabilities, as a mask of 1 << CAP_x. */
#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CAPS_BIT(cap) (UINT64_C(1) << (cap))

/* The 14 that docker gives a container. */
uint64_t caps_default(void);

/* What this process may hand on: its bounding set. */
uint64_t caps_bounding(void);

/* The number of "CAP_NET_ADMIN", "net_admin"; -1: no such capability. */
int caps_number(const char *name);

/* "CAP_NET_ADMIN"; NULL: unknown. Static. */
const char *caps_name(unsigned number);

/*
 * The set that --cap-add @add and --cap-drop @drop make (NULL-terminated, either may be NULL), by
 * docker's rules: "ALL" in one is the other's exceptions, the default set else. @available bounds
 * "ALL" and the default set; one that was named and is not available is an error (pass ~0 for a
 * container with a user namespace of its own).
 */
bool caps_choose(const char *const *add, const char *const *drop, uint64_t available, uint64_t *ret,
		 GError **error);

/*
 * Take every capability that is not in @caps out of the bounding set. Needs CAP_SETPCAP. No
 * allocation: may be called in a child. 0 or -errno.
 */
int caps_bound(uint64_t caps);

/*
 * Set the effective and permitted sets to @caps, the inheritable and ambient ones to none, so that
 * root has @caps after exec and anybody else has none. No allocation. 0 or -errno.
 */
int caps_set(uint64_t caps);
