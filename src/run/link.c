/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <linux/if.h>
#include <netlink/errno.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <netlink/socket.h>
#include <string.h>

#include "util/fd.h"

/*
 * What tells a bridge that we made from others: its hardware address, which the kernel takes with
 * the name, so that there is no bridge of ours without; locally administered, its last byte a
 * number. A bridge that is given none has that of a port, and another one when that port goes.
 */
static const uint8_t our_mark[] = { 0x02, 'l', 'x', 'c', 'r' };

#define CLEANUP(type, release)                                                                     \
	static void release##_cleanup(type **p)                                                    \
	{                                                                                          \
		if (*p)                                                                            \
			release(*p);                                                               \
	}

CLEANUP(struct nl_sock, nl_socket_free)
CLEANUP(struct rtnl_link, rtnl_link_put)
CLEANUP(struct rtnl_addr, rtnl_addr_put)
CLEANUP(struct rtnl_route, rtnl_route_put)
CLEANUP(struct nl_addr, nl_addr_put)
CLEANUP(struct nl_cache, nl_cache_free)
#define AUTO(release) __attribute__((cleanup(release##_cleanup)))

static int connect_to(struct nl_sock **ret)
{
	struct nl_sock *sock = nl_socket_alloc();
	int r = sock ? nl_connect(sock, NETLINK_ROUTE) : -NLE_NOMEM;

	if (r < 0 && sock)
		nl_socket_free(sock);
	else if (r == 0)
		*ret = sock;
	return r;
}

/* A connection, and the interface @name. */
static int open_link(const char *name, struct nl_sock **ret_sock, struct rtnl_link **ret)
{
	int r = connect_to(ret_sock);

	return r < 0 ? r : rtnl_link_get_kernel(*ret_sock, 0, name, ret);
}

enum link_kind link_kind_of(const char *name, uint8_t *ret_number)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;
	struct nl_addr *hardware;
	const uint8_t *bytes;

	if (open_link(name, &sock, &link) < 0)
		return LINK_NONE;
	if (!rtnl_link_is_bridge(link))
		return LINK_OTHER;
	hardware = rtnl_link_get_addr(link);
	if (!hardware || nl_addr_get_len(hardware) != sizeof(our_mark) + 1)
		return LINK_BRIDGE;
	bytes = nl_addr_get_binary_addr(hardware);
	if (memcmp(bytes, our_mark, sizeof(our_mark)) != 0)
		return LINK_BRIDGE;
	*ret_number = bytes[sizeof(our_mark)];
	return LINK_OURS;
}

/* The IPv4 address of @a as ours. */
static bool take_address(struct rtnl_addr *a, struct link_address *ret)
{
	struct nl_addr *local = rtnl_addr_get_local(a);

	if (!local || nl_addr_get_family(local) != AF_INET ||
	    nl_addr_get_len(local) != sizeof(ret->address))
		return false;
	memcpy(&ret->address, nl_addr_get_binary_addr(local), sizeof(ret->address));
	ret->prefix = (unsigned)rtnl_addr_get_prefixlen(a);
	return true;
}

int link_address_of(const char *name, struct link_address *ret)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;
	AUTO(nl_cache_free) struct nl_cache *all = NULL;
	int r = open_link(name, &sock, &link);

	if (r == 0)
		r = rtnl_addr_alloc_cache(sock, &all);
	if (r < 0)
		return r;
	for (struct nl_object *o = nl_cache_get_first(all); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;

		if (rtnl_addr_get_ifindex(a) == rtnl_link_get_ifindex(link) && take_address(a, ret))
			return 0;
	}
	return -NLE_OBJ_NOTFOUND;
}

static uint32_t mask(unsigned prefix)
{
	return prefix == 0 ? 0 : htonl(UINT32_MAX << (32 - prefix));
}

static bool overlap(const struct link_address *a, const struct link_address *b)
{
	uint32_t wider = mask(a->prefix < b->prefix ? a->prefix : b->prefix);

	return ((a->address.s_addr ^ b->address.s_addr) & wider) == 0;
}

/* What @r leads to, unless that is everything. */
static bool take_destination(struct rtnl_route *r, struct link_address *ret)
{
	struct nl_addr *to = rtnl_route_get_dst(r);

	if (!to || nl_addr_get_prefixlen(to) == 0 || nl_addr_get_len(to) != sizeof(ret->address))
		return false;
	memcpy(&ret->address, nl_addr_get_binary_addr(to), sizeof(ret->address));
	ret->prefix = nl_addr_get_prefixlen(to);
	return true;
}

bool link_overlaps(const struct link_address *address)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(nl_cache_free) struct nl_cache *addresses = NULL;
	AUTO(nl_cache_free) struct nl_cache *routes = NULL;
	struct link_address other;

	if (connect_to(&sock) < 0 || rtnl_addr_alloc_cache(sock, &addresses) < 0 ||
	    rtnl_route_alloc_cache(sock, AF_INET, 0, &routes) < 0)
		return true;
	for (struct nl_object *o = nl_cache_get_first(addresses); o; o = nl_cache_get_next(o))
		if (take_address((struct rtnl_addr *)o, &other) && overlap(address, &other))
			return true;
	for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o))
		if (take_destination((struct rtnl_route *)o, &other) && overlap(address, &other))
			return true;
	return false;
}

static int set_up(struct nl_sock *sock, struct rtnl_link *link)
{
	AUTO(rtnl_link_put) struct rtnl_link *change = rtnl_link_alloc();

	if (!change)
		return -NLE_NOMEM;
	rtnl_link_set_flags(change, IFF_UP);
	return rtnl_link_change(sock, link, change, 0);
}

int link_up(const char *name)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;
	int r = open_link(name, &sock, &link);

	return r < 0 ? r : set_up(sock, link);
}

int link_add_address(const char *name, const struct link_address *address)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;
	AUTO(rtnl_addr_put) struct rtnl_addr *a = rtnl_addr_alloc();
	AUTO(nl_addr_put)
	struct nl_addr *local = nl_addr_build(AF_INET, &address->address, sizeof(address->address));
	struct in_addr all = { .s_addr = address->address.s_addr | ~mask(address->prefix) };
	AUTO(nl_addr_put) struct nl_addr *broadcast = nl_addr_build(AF_INET, &all, sizeof(all));
	int r = a && local && broadcast ? open_link(name, &sock, &link) : -NLE_NOMEM;

	if (r < 0)
		return r;
	nl_addr_set_prefixlen(local, (int)address->prefix);
	rtnl_addr_set_ifindex(a, rtnl_link_get_ifindex(link));
	r = rtnl_addr_set_local(a, local);
	if (r == 0)
		r = rtnl_addr_set_broadcast(a, broadcast);
	return r < 0 ? r : rtnl_addr_add(sock, a, 0);
}

int link_add_default_route(const char *name, struct in_addr gateway)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;
	AUTO(rtnl_route_put) struct rtnl_route *route = rtnl_route_alloc();
	AUTO(nl_addr_put) struct nl_addr *everywhere = NULL;
	AUTO(nl_addr_put)
	struct nl_addr *via = nl_addr_build(AF_INET, &gateway, sizeof(gateway));
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	int r = route && via && hop ? open_link(name, &sock, &link) : -NLE_NOMEM;

	if (r == 0)
		r = nl_addr_parse("default", AF_INET, &everywhere);
	if (r == 0)
		r = rtnl_route_set_dst(route, everywhere);
	if (r < 0) {
		if (hop)
			rtnl_route_nh_free(hop);
		return r;
	}
	rtnl_route_nh_set_gateway(hop, via);
	rtnl_route_nh_set_ifindex(hop, rtnl_link_get_ifindex(link));
	rtnl_route_add_nexthop(route, hop); /* which owns it now */
	return rtnl_route_add(sock, route, NLM_F_CREATE);
}

/*
 * Before @name is up. By IPv6, which nobody has asked for, a container could tell the host routes
 * and addresses (router advertisements). A kernel without it has no such file.
 */
static int shut_ipv6(const struct host *host, const char *name)
{
	g_autofree char *path = g_strdup_printf("sys/net/ipv6/conf/%s/disable_ipv6", name);
	int r = fd_write_at(host_proc_dir(host), path, "1");

	return r == 0 || r == -ENOENT ? 0 : -nl_syserr2nlerr(-r);
}

int link_make_bridge(const struct host *host, const char *name, uint8_t number,
		     const struct link_address *address)
{
	uint8_t bytes[sizeof(our_mark) + 1];
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *bridge = rtnl_link_bridge_alloc();
	AUTO(nl_addr_put) struct nl_addr *hardware = NULL;
	int r = bridge ? connect_to(&sock) : -NLE_NOMEM;

	memcpy(bytes, our_mark, sizeof(our_mark));
	bytes[sizeof(our_mark)] = number;
	hardware = nl_addr_build(AF_LLC, bytes, sizeof(bytes));
	if (r == 0 && !hardware)
		r = -NLE_NOMEM;
	if (r < 0)
		return r;
	rtnl_link_set_name(bridge, name);
	rtnl_link_set_addr(bridge, hardware);
	r = rtnl_link_add(sock, bridge, NLM_F_CREATE | NLM_F_EXCL);
	if (r == 0 || r == -NLE_EXIST)
		r = shut_ipv6(host, name);
	if (r == 0)
		r = link_add_address(name, address);
	return r == 0 || r == -NLE_EXIST ? link_up(name) : r;
}

int link_make_veth(const struct host *host, const char *host_end, const char *bridge,
		   const char *peer_name, pid_t pid)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *master = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *veth = rtnl_link_veth_alloc();
	AUTO(rtnl_link_put) struct rtnl_link *peer = veth ? rtnl_link_veth_get_peer(veth) : NULL;
	AUTO(rtnl_link_put) struct rtnl_link *made = NULL;
	int r = peer ? open_link(bridge, &sock, &master) : -NLE_NOMEM;

	if (r < 0)
		return r;
	rtnl_link_set_name(veth, host_end);
	rtnl_link_set_name(peer, peer_name);
	rtnl_link_set_ns_pid(peer, pid);
	r = rtnl_link_add(sock, veth, NLM_F_CREATE | NLM_F_EXCL);
	if (r == 0)
		r = shut_ipv6(host, host_end);
	if (r == 0)
		r = rtnl_link_get_kernel(sock, 0, host_end, &made);
	if (r == 0)
		r = rtnl_link_enslave(sock, master, made);
	return r < 0 ? r : set_up(sock, made);
}

void link_delete(const char *name)
{
	AUTO(nl_socket_free) struct nl_sock *sock = NULL;
	AUTO(rtnl_link_put) struct rtnl_link *link = NULL;

	if (open_link(name, &sock, &link) == 0)
		(void)rtnl_link_delete(sock, link);
}
