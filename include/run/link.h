/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * Network interfaces of the namespace that the caller is in, by rtnetlink. What returns an int
 * returns 0 or one of libnl's negative errors, for nl_geterror().
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "host/host.h"

/* An address of a host and the bits of its subnet. */
struct link_address {
	struct in_addr address;
	unsigned prefix;
};

enum link_kind {
	LINK_NONE,   /* no interface has that name */
	LINK_OURS,   /* a bridge that link_make_bridge() has made, maybe not to its end */
	LINK_BRIDGE, /* a bridge of somebody else's */
	LINK_OTHER,
};

/* What @name is; *@ret_number is what a bridge of ours was made with, else unchanged. */
enum link_kind link_kind_of(const char *name, uint8_t *ret_number);

/* The first IPv4 address of interface @name. -NLE_OBJ_NOTFOUND: it has none. */
int link_address_of(const char *name, struct link_address *ret);

/*
 * Some interface has an address in the subnet of @address, or one whose subnet it is in; or a route
 * other than the default one leads to a part of it, or to all of it. True also when nobody can
 * tell.
 */
bool link_overlaps(const struct link_address *address);

/*
 * A bridge with that address, up, without IPv6, that is known as ours, with @number, from the
 * moment on when it is there. What is there of it already stays: it may be called again after it
 * was cut short.
 */
int link_make_bridge(const struct host *host, const char *name, uint8_t number,
		     const struct link_address *address);

/*
 * @host_end, up, without IPv6 of the host's, in @bridge; its peer is @peer in the network namespace
 * of @pid.
 */
int link_make_veth(const struct host *host, const char *host_end, const char *bridge,
		   const char *peer, pid_t pid);

/* Gone with its peer; no such interface is fine. */
void link_delete(const char *name);

int link_up(const char *name);
int link_add_address(const char *name, const struct link_address *address);
int link_add_default_route(const char *name, struct in_addr gateway);
