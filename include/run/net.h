/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * The container's network. In the launch: net_make() before clone3, net_attach() by the parent when
 * the network namespace of the child is there, net_up() by the child in it, after its parent's word
 * and while it has CAP_NET_ADMIN.
 */
#include <glib.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

#include "host/host.h"
#include "run/spec.h"

#define NET_BRIDGE    "lxcfs-clone0" /* when --net bridge names none */
#define NET_INTERFACE "eth0"         /* the container's end */

/*
 * --net @text ("none", "host", "bridge[:NAME][,nat]") and --ip @ip (NULL: none) into @ret, whose
 * .bridge is owned then.
 */
bool net_parse(const char *text, const char *ip, struct spec_network *ret, GError **error);

/* Plain data, no owner: may be kept, copied, printed. */
struct net {
	enum spec_net kind;
	char bridge[IF_NAMESIZE];
	char host_end[IF_NAMESIZE]; /* of the veth pair; told by the container's name */
	struct in_addr address, gateway;
	unsigned prefix; /* bits of the subnet */
	bool forwards;   /* NAT has turned the host's forwarding on, which is worth a word */
};

/*
 * What @spec needs of the host: for a bridge, that it is there (made when missing, up, with a
 * subnet that nothing else on the host has), an address of it for container @name, and NAT for all
 * of the bridge if asked for. @dir is the state directory. Undone by net_remove(), also when it
 * fails half-way or its process is killed.
 *
 * A bridge that somebody else has made (docker0, a LAN's) is used as it is. Which of its addresses
 * are free others know, so that --ip must say one, and it is refused when somebody answers to it.
 */
bool net_make(const struct host *host, const char *dir, const char *name,
	      const struct spec_network *spec, struct net *ret, GError **error);

/* A veth pair, one end in the bridge, the other in the network namespace of @pid. */
bool net_attach(const struct host *host, const struct net *net, pid_t pid, GError **error);

/* In the container's namespace: lo and eth0 up, with address and default route. "host": nothing. */
bool net_up(const struct net *net, GError **error);

/*
 * Whatever container @name has on the host: veth, address, and the bridge with its NAT if we made
 * it and nobody else has an address of it. Needs no struct net: after a crash there is none.
 */
bool net_remove(const char *dir, const char *name, GError **error);
