/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/errno.h>
#include <string.h>
#include <unistd.h>

#include "run/arp.h"
#include "run/fail.h"
#include "run/leases.h"
#include "run/link.h"
#include "run/nat.h"
#include "util/fd.h"

/*
 * In the state directory: the lock, the addresses of a bridge, that it has NAT, who may have one.
 */
#define LOCK       "net"
#define KIND       "net-"
#define NAT_MARK   "nat-"
#define WIRED_MARK "wired,"
#define HOST_END   "lcr"
#define MIN_PREFIX 8
#define MAX_PREFIX 30

/* A new bridge gets the first 10.86.N.0/24 that nothing on the host overlaps. */
static struct link_address subnet(unsigned n)
{
	return (struct link_address){ .address.s_addr = htonl(10u << 24 | 86u << 16 | n << 8 | 1),
				      .prefix = 24 };
}

G_GNUC_PRINTF(2, 3) static bool refuse(GError **error, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (error)
		*error = g_error_new_valist(G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, format, ap);
	va_end(ap);
	return false;
}

/* What the kernel takes for an interface, nft for a table's name and a file system for a file's. */
static bool is_bridge_name(const char *name)
{
	static const char others[] = "0123456789_-.";
	size_t n = strlen(name);

	if (n == 0 || n >= IF_NAMESIZE || !g_ascii_isalpha(name[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!g_ascii_isalpha(name[i]) && !strchr(others, name[i]))
			return false;
	return true;
}

static bool parse_bridge(const char *text, struct spec_network *ret, GError **error)
{
	const char *comma = strchrnul(text, ','), *colon = memchr(text, ':', comma - text);
	g_autofree char *name =
		colon ? g_strndup(colon + 1, comma - colon - 1) : g_strdup(NET_BRIDGE);
	size_t word = (colon ? colon : comma) - text;

	if (word != strlen("bridge") || memcmp(text, "bridge", word) != 0 ||
	    (*comma && strcmp(comma, ",nat") != 0))
		return refuse(error, "--net wants none, host or bridge[:NAME][,nat], not \"%.64s\"",
			      text);
	if (!is_bridge_name(name))
		return refuse(error, "--net: \"%.64s\" is no name of a bridge", name);
	ret->kind = SPEC_NET_BRIDGE;
	ret->nat = *comma;
	ret->bridge = g_steal_pointer(&name);
	return true;
}

bool net_parse(const char *text, const char *ip, struct spec_network *ret, GError **error)
{
	struct spec_network n = { .kind = SPEC_NET_NONE };

	if (strcmp(text, "host") == 0)
		n.kind = SPEC_NET_HOST;
	else if (strcmp(text, "none") != 0 && !parse_bridge(text, &n, error))
		return false;
	if (ip &&
	    (n.kind != SPEC_NET_BRIDGE || inet_pton(AF_INET, ip, &n.ip) != 1 || n.ip.s_addr == 0)) {
		g_free(n.bridge);
		return n.kind == SPEC_NET_BRIDGE
			       ? refuse(error, "--ip: \"%.64s\" is no IPv4 address", ip)
			       : refuse(error, "--ip is for --net bridge");
	}
	*ret = n;
	return true;
}

/* 15 characters at most, and a container may be called anything. */
static void name_host_end(const char *name, char ret[IF_NAMESIZE])
{
	g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name, -1);

	(void)g_snprintf(ret, IF_NAMESIZE, HOST_END "%.12s", sum);
}

/* A bridge that is there, or is to be made. */
struct bridge {
	const char *name;
	enum link_kind kind;
	uint8_t number; /* of our subnets, when it is or will be ours */
	struct link_address address;
};

static bool choose_subnet(struct bridge *b, GError **error)
{
	for (unsigned n = 0; n <= UINT8_MAX; n++) {
		b->number = (uint8_t)n;
		b->address = subnet(n);
		if (!link_overlaps(&b->address))
			return true;
	}
	return run_fail(error, 0, "cannot make bridge %s: the host uses all of 10.86.0.0/16",
			b->name);
}

static bool find_bridge(const struct spec_network *spec, struct bridge *b, GError **error)
{
	b->name = spec->bridge;
	b->kind = link_kind_of(b->name, &b->number);
	switch (b->kind) {
	case LINK_NONE:
		return choose_subnet(b, error);
	case LINK_OURS:
		b->address = subnet(b->number);
		return true;
	case LINK_OTHER:
		return run_fail(error, 0, "--net: %s is no bridge", b->name);
	case LINK_BRIDGE:
		break;
	}
	if (link_address_of(b->name, &b->address) < 0 || b->address.prefix < MIN_PREFIX ||
	    b->address.prefix > MAX_PREFIX)
		return run_fail(error, 0, "bridge %s has no IPv4 address with a subnet to share",
				b->name);
	return spec->ip.s_addr ||
	       run_fail(error, 0,
			"bridge %s is not ours, which addresses are free others know: --ip wanted",
			b->name);
}

/* After an address of it was taken: so it is found again whatever happens. */
static bool make_bridge(const struct host *host, const struct bridge *b, GError **error)
{
	int r = b->kind == LINK_BRIDGE ? 0
				       : link_make_bridge(host, b->name, b->number, &b->address);

	return r == 0 || run_fail(error, 0, "cannot make bridge %s: %s", b->name, nl_geterror(r));
}

static uint32_t hosts(unsigned prefix)
{
	return UINT32_MAX >> prefix;
}

static bool is_not(uint32_t number, const void *arg)
{
	return number != *(const uint32_t *)arg;
}

/* The first number is the subnet's own, the last one its broadcast. */
static bool take_ip(const char *dir, const char *name, const struct spec_network *spec,
		    const struct bridge *b, struct in_addr *ret, GError **error)
{
	g_autofree char *kind = g_strconcat(KIND, b->name, NULL);
	uint32_t own = ntohl(b->address.address.s_addr), wanted = ntohl(spec->ip.s_addr), number;
	uint32_t all = hosts(b->address.prefix), gateway = own & all;
	struct leases_wish wish = { .first = 1,
				    .last = all - 1,
				    .wanted = wanted ? wanted & all : LEASES_ANY,
				    .usable = is_not,
				    .arg = &gateway };
	char text[INET_ADDRSTRLEN] = "";

	(void)inet_ntop(AF_INET, &spec->ip, text, sizeof(text));
	if (wanted && (wanted & ~all) != (own & ~all))
		return run_fail(error, 0, "--ip %s is not in the subnet of bridge %s", text,
				b->name);
	if (!leases_take(dir, kind, name, &wish, &number, error)) {
		g_prefix_error(error, "address %s of bridge %s: ", wanted ? text : "", b->name);
		return false;
	}
	ret->s_addr = htonl((own & ~all) | number);
	return true;
}

/* Nobody who is not of us has it. */
static bool check_ip(const struct bridge *b, struct in_addr address, GError **error)
{
	char text[INET_ADDRSTRLEN] = "";
	int r = b->kind == LINK_BRIDGE ? arp_is_used(b->name, address) : 0;

	if (r < 0)
		return run_fail(error, -r, "cannot ask in bridge %s who has an address", b->name);
	(void)inet_ntop(AF_INET, &address, text, sizeof(text));
	return r == 0 ||
	       run_fail(error, 0, "--ip %s is taken: somebody in bridge %s has it", text, b->name);
}

/* A mark comes before and goes after what it tells of. */
static char *mark_of(const char *dir, const char *kind, const char *whose)
{
	g_autofree char *name = g_strconcat(kind, whose, NULL);

	return g_build_filename(dir, name, NULL);
}

/* Empty: there is no half of it, nor a file that would become it. */
static bool make_mark(const char *path, GError **error)
{
	return g_file_set_contents_full(path, "", 0, G_FILE_SET_CONTENTS_NONE, 0600, error);
}

static bool add_nat(const struct host *host, const char *dir, const struct bridge *b,
		    bool *ret_forwards, GError **error)
{
	g_autofree char *mark = mark_of(dir, NAT_MARK, b->name);

	return make_mark(mark, error) && nat_add(host, b->name, &b->address, ret_forwards, error);
}

static bool make_on_bridge(const struct host *host, const char *dir, const char *name,
			   const struct spec_network *spec, struct net *net, GError **error)
{
	g_autofree char *mark = mark_of(dir, WIRED_MARK, name);
	AUTO_FD int lock = leases_lock(dir, LOCK, error);
	struct bridge b = { 0 };

	if (lock < 0 || !make_mark(mark, error) || !find_bridge(spec, &b, error) ||
	    !take_ip(dir, name, spec, &b, &net->address, error) ||
	    !check_ip(&b, net->address, error) || !make_bridge(host, &b, error) ||
	    (spec->nat && !add_nat(host, dir, &b, &net->forwards, error)))
		return false;
	(void)g_strlcpy(net->bridge, b.name, sizeof(net->bridge));
	name_host_end(name, net->host_end);
	net->gateway = b.address.address;
	net->prefix = b.address.prefix;
	return true;
}

bool net_make(const struct host *host, const char *dir, const char *name,
	      const struct spec_network *spec, struct net *ret, GError **error)
{
	*ret = (struct net){ .kind = spec->kind };
	return spec->kind != SPEC_NET_BRIDGE || make_on_bridge(host, dir, name, spec, ret, error);
}

bool net_attach(const struct host *host, const struct net *net, pid_t pid, GError **error)
{
	int r;

	if (net->kind != SPEC_NET_BRIDGE)
		return true;
	/* Left over from a container that was killed with its launcher. */
	link_delete(net->host_end);
	r = link_make_veth(host, net->host_end, net->bridge, NET_INTERFACE, pid);
	return r == 0 || run_fail(error, 0, "cannot connect the container to bridge %s: %s",
				  net->bridge, nl_geterror(r));
}

bool net_up(const struct net *net, GError **error)
{
	const struct link_address own = { .address = net->address, .prefix = net->prefix };
	int r = net->kind == SPEC_NET_HOST ? 0 : link_up("lo");

	if (r < 0)
		return run_fail(error, 0, "cannot set up lo in the container: %s", nl_geterror(r));
	if (net->kind != SPEC_NET_BRIDGE)
		return true;
	r = link_add_address(NET_INTERFACE, &own);
	if (r == 0)
		r = link_up(NET_INTERFACE);
	if (r == 0)
		r = link_add_default_route(NET_INTERFACE, net->gateway);
	return r == 0 || run_fail(error, 0, "cannot set up " NET_INTERFACE " in the container: %s",
				  nl_geterror(r));
}

/* With its NAT, if we made it. */
static bool remove_bridge(const char *dir, const char *bridge, GError **error)
{
	g_autofree char *mark = mark_of(dir, NAT_MARK, bridge);
	uint8_t unused;

	if (access(mark, F_OK) == 0 && !nat_remove(bridge, error))
		return false;
	(void)unlink(mark);
	if (link_kind_of(bridge, &unused) == LINK_OURS)
		link_delete(bridge);
	return true;
}

/* The bridge goes before the last address of it, which tells that it is there. */
static bool leave_bridge(const char *dir, const char *kind, const char *name, GError **error)
{
	int others = leases_others(dir, kind, name, error);

	return others >= 0 && (others > 0 || remove_bridge(dir, kind + strlen(KIND), error)) &&
	       leases_drop(dir, kind, name, error);
}

bool net_remove(const char *dir, const char *name, GError **error)
{
	g_autofree char *mark = mark_of(dir, WIRED_MARK, name);
	g_auto(GStrv) kinds = NULL;
	char host_end[IF_NAMESIZE];
	AUTO_FD int lock = -1;

	/* Most have none, and need not wait for those that have. */
	if (access(mark, F_OK) < 0 && errno == ENOENT)
		return true;
	lock = leases_lock(dir, LOCK, error);
	if (lock < 0)
		return false;
	name_host_end(name, host_end);
	link_delete(host_end);
	kinds = leases_kinds(dir, KIND);
	for (char **kind = kinds; *kind; kind++)
		if (!leave_bridge(dir, *kind, name, error))
			return false;
	return unlink(mark) == 0 || errno == ENOENT ||
	       run_fail(error, errno, "cannot remove %s", mark);
}
