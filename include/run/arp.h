/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Whether an address is free, where others give them out. */
#include <netinet/in.h>

/*
 * Ask in the subnet of interface @name, which is up, who has @address. 1: somebody answers, 0:
 * nobody does within half a second, or -errno.
 */
int arp_is_used(const char *name, struct in_addr address);
