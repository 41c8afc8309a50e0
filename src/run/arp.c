/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/arp.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/if_ether.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/fd.h"
#include "util/sys.h"

/* A packet may be lost. */
#define TRIES  2
#define TRY_MS 250u

/* To everybody, or from our end: how the kernel wants it. */
static struct sockaddr_ll end_of(unsigned index)
{
	return (struct sockaddr_ll){ .sll_family = AF_PACKET,
				     .sll_protocol = htons(ETH_P_ARP),
				     .sll_ifindex = (int)index,
				     .sll_halen = ETH_ALEN,
				     .sll_addr = { 255, 255, 255, 255, 255, 255 } };
}

/* Of no sender's address: nobody takes it for an answer to somebody else (RFC 5227). */
static int ask(int fd, unsigned index, struct in_addr address)
{
	struct sockaddr_ll own = { 0 }, all = end_of(index);
	socklen_t size = sizeof(own);
	struct ether_arp q = { .arp_hrd = htons(ARPHRD_ETHER),
			       .arp_pro = htons(ETHERTYPE_IP),
			       .arp_hln = ETH_ALEN,
			       .arp_pln = sizeof(address),
			       .arp_op = htons(ARPOP_REQUEST) };

	if (getsockname(fd, (struct sockaddr *)&own, &size) < 0)
		return -errno;
	memcpy(q.arp_sha, own.sll_addr, ETH_ALEN);
	memcpy(q.arp_tpa, &address, sizeof(address));
	return sendto(fd, &q, sizeof(q), 0, (struct sockaddr *)&all, sizeof(all)) < 0 ? -errno : 0;
}

/* It says of itself, asking or answering, that it has the address. */
static bool is_answer(const struct ether_arp *a, ssize_t n, struct in_addr address)
{
	return n >= (ssize_t)sizeof(*a) && memcmp(a->arp_spa, &address, sizeof(address)) == 0;
}

static int listen_for(int fd, struct in_addr address)
{
	uint64_t end = sys_coarse_ms() + TRY_MS;

	for (uint64_t now = sys_coarse_ms(); now < end; now = sys_coarse_ms()) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		struct ether_arp a;

		if (poll(&p, 1, (int)(end - now)) == 1 &&
		    is_answer(&a, recv(fd, &a, sizeof(a), MSG_DONTWAIT), address))
			return 1;
	}
	return 0;
}

int arp_is_used(const char *name, struct in_addr address)
{
	unsigned index = if_nametoindex(name);
	struct sockaddr_ll own = end_of(index);
	AUTO_FD int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ARP));
	int r = 0;

	if (fd < 0 || index == 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		return -errno;
	for (unsigned i = 0; i < TRIES && r == 0; i++) {
		r = ask(fd, index, address);
		if (r == 0)
			r = listen_for(fd, address);
	}
	return r;
}
