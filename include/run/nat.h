/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Network address translation for a bridge, by nft: what leaves its subnet has the address of the
 * host; answers come back, and nobody else comes in from there. Also the chains of others that drop
 * what they don't know (docker sets FORWARD to DROP) are told to let the bridge's packets pass, by
 * rules that carry a comment. A chain of iptables-legacy is nothing that nft sees: when it drops,
 * that is an error that says what to do.
 *
 * net.ipv4.ip_forward is turned on and stays on: by the end others may need it.
 */
#include <glib.h>
#include <stdbool.h>

#include "host/host.h"
#include "run/link.h"

/* May be there already. *@ret_forwards: it was we who turned forwarding on. */
bool nat_add(const struct host *host, const char *bridge, const struct link_address *address,
	     bool *ret_forwards, GError **error);

/* As before nat_add(), forwarding apart. None is fine. */
bool nat_remove(const char *bridge, GError **error);
