/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* In a network namespace of its own: nothing of the host's network is touched. */
#include "run/net.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "real.h"
#include "run/arp.h"
#include "run/leases.h"
#include "run/link.h"

static struct host *host;
static char dir[] = "/tmp/lxcfs-clone-net-XXXXXX";

static void leave(const char *name)
{
	g_autoptr(GError) error = NULL;

	assert_done(net_remove(dir, name, &error), error);
}

static bool link_exists(const char *name)
{
	uint8_t unused;

	return link_kind_of(name, &unused) != LINK_NONE;
}

static struct net make(const char *name, const char *word, const char *ip)
{
	g_autoptr(GError) error = NULL;
	struct spec_network spec = { 0 };
	struct net net;

	assert_done(net_parse(word, ip, &spec, &error), error);
	assert_done(net_make(host, dir, name, &spec, &net, &error), error);
	g_free(spec.bridge);
	return net;
}

/* To @to, port 7: 0, or the errno. */
static int reach(struct in_addr to)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(7), .sin_addr = to };
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	r = connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? errno : 0;
	close(fd);
	return r;
}

struct way {
	struct net net;
	struct in_addr to;
	int hold; /* a pipe to wait on, when there is nobody to reach */
};

static int be_container(void *arg)
{
	const struct way *w = arg;
	char word;

	if (!net_up(&w->net, NULL))
		return 97;
	return w->to.s_addr ? reach(w->to) : (int)read(w->hold, &word, 1);
}

static struct real_child start(struct way *w)
{
	g_autoptr(GError) error = NULL;
	struct real_child c = real_fork(CLONE_NEWNET, be_container, w);

	assert_done(net_attach(host, &w->net, c.pid, &error), error);
	real_go(&c);
	return c;
}

static void test_two_containers_reach_each_other_and_the_host(void **state)
{
	struct way a = { .net = make("a", "bridge", NULL) },
		   b = { .net = make("b", "bridge", NULL) };
	struct real_child ca, cb;
	int hold[2];

	(void)state;
	assert_int_equal(ntohl(a.net.address.s_addr), 0x0a560002);
	assert_int_equal(ntohl(b.net.address.s_addr), 0x0a560003);
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	a.hold = hold[0];
	ca = start(&a);
	b.to = a.net.address;
	cb = start(&b);
	/* nobody listens there: who says so was reached */
	assert_int_equal(WEXITSTATUS(real_wait(&cb)), ECONNREFUSED);
	b.to = b.net.gateway;
	cb = start(&b);
	assert_int_equal(WEXITSTATUS(real_wait(&cb)), ECONNREFUSED);
	close(hold[1]);
	kill(ca.pid, SIGKILL);
	real_wait(&ca);
	leave("a");
	assert_true(link_exists(NET_BRIDGE));
	assert_false(link_exists(a.net.host_end));
	leave("b");
	assert_false(link_exists(NET_BRIDGE));
	leave("b");
}

static void test_address_that_was_asked_for(void **state)
{
	struct net net = make("a", "bridge:br7", "10.86.0.77");
	struct spec_network spec = { .kind = SPEC_NET_BRIDGE, .bridge = (char[]){ "br7" } };
	g_autoptr(GError) taken = NULL, elsewhere = NULL;

	(void)state;
	assert_int_equal(ntohl(net.address.s_addr), 0x0a56004d);
	spec.ip = net.address;
	assert_false(net_make(host, dir, "b", &spec, &net, &taken));
	assert_non_null(strstr(taken->message, "held by container a"));
	spec.ip.s_addr = htonl(0x0a570001);
	assert_false(net_make(host, dir, "b", &spec, &net, &elsewhere));
	assert_non_null(strstr(elsewhere->message, "not in the subnet"));
	leave("a");
	assert_false(link_exists("br7"));
}

/* What is told when it cannot be; nothing but a lease is there then. */
static char *refused(const char *name, const char *word, const char *ip)
{
	g_autoptr(GError) error = NULL;
	struct spec_network spec = { 0 };
	struct net net;

	assert_done(net_parse(word, ip, &spec, &error), error);
	assert_false(net_make(host, dir, name, &spec, &net, &error));
	g_free(spec.bridge);
	return g_strdup(error->message);
}

static void test_no_bridge_is_made_for_an_address_that_is_refused(void **state)
{
	g_autofree char *said = refused("a", "bridge:br8", "10.87.0.1");

	(void)state;
	assert_non_null(strstr(said, "--ip 10.87.0.1 is not in the subnet"));
	assert_false(link_exists("br8"));
	leave("a");
}

static void test_bridge_that_was_cut_short_is_finished(void **state)
{
	struct link_address address;
	struct net net;

	(void)state;
	assert_int_equal(system("ip link add br9 address 02:6c:78:63:72:05 type bridge"), 0);
	net = make("a", "bridge:br9", NULL);
	assert_int_equal(ntohl(net.gateway.s_addr), 0x0a560501);
	assert_int_equal(link_address_of("br9", &address), 0);
	assert_int_equal(address.address.s_addr, net.gateway.s_addr);
	leave("a");
	assert_false(link_exists("br9"));
}

static void test_bridge_of_a_killed_launcher_goes_with_its_container(void **state)
{
	struct spec_network spec = { .kind = SPEC_NET_BRIDGE, .bridge = (char[]){ "x.lock" } };
	struct net net;

	(void)state;
	assert_true(net_make(host, dir, "a", &spec, &net, NULL));
	assert_true(link_exists("x.lock"));
	/* and nothing more is known of it */
	leave("a");
	assert_false(link_exists("x.lock"));
}

static void test_interface_that_is_no_bridge_is_refused(void **state)
{
	g_autofree char *said = NULL;

	(void)state;
	assert_int_equal(system("ip link add wire type veth peer name wire1 && "
				"ip addr add 10.98.0.1/24 dev wire"),
			 0);
	said = refused("a", "bridge:wire", NULL);
	assert_non_null(strstr(said, "wire is no bridge"));
	link_delete("wire");
}

static void test_bridge_of_others_wants_an_address_that_nobody_has(void **state)
{
	g_autofree char *none = NULL, *taken = NULL;
	struct real_child stranger;
	struct way w = { 0 };
	int hold[2];

	(void)state;
	assert_int_equal(system("ip link add theirs type bridge && ip link set theirs up && "
				"ip addr add 10.99.0.1/24 dev theirs"),
			 0);
	none = refused("a", "bridge:theirs", NULL);
	assert_non_null(strstr(none, "--ip"));
	assert_int_equal(pipe2(hold, O_CLOEXEC), 0);
	w.hold = hold[0];
	w.net = make("a", "bridge:theirs", "10.99.0.9");
	stranger = start(&w);
	/* no lease of ours tells of it any more; it may be setting itself up still */
	assert_true(leases_drop(dir, "net-theirs", "a", NULL));
	for (int i = 0; i < 50 && arp_is_used("theirs", w.net.address) != 1; i++)
		g_usleep(10000);
	taken = refused("b", "bridge:theirs", "10.99.0.9");
	assert_non_null(strstr(taken, "somebody in bridge theirs has it"));
	kill(stranger.pid, SIGKILL);
	real_wait(&stranger);
	close(hold[0]);
	close(hold[1]);
	leave("a");
	leave("b");
	assert_true(link_exists("theirs"));
	link_delete("theirs");
}

static void test_new_bridge_keeps_off_the_subnets_of_others(void **state)
{
	struct net first = make("a", "bridge:br1", NULL), second = make("b", "bridge:br2", NULL);

	(void)state;
	assert_int_equal(ntohl(first.gateway.s_addr), 0x0a560001);
	assert_int_equal(ntohl(second.gateway.s_addr), 0x0a560101);
	leave("a");
	leave("b");
	assert_false(link_exists("br1") || link_exists("br2"));
}

static void test_new_bridge_keeps_off_what_the_host_routes_elsewhere(void **state)
{
	struct net net;

	(void)state;
	assert_int_equal(system("ip link add wire type veth peer name wire1 && "
				"ip addr add 10.98.0.1/24 dev wire && ip link set wire up && "
				"ip route add default via 10.98.0.2 && "
				"ip route add 10.86.0.0/23 via 10.98.0.2 && "
				"ip route add unreachable 10.86.2.8/29 && "
				"ip route add 10.86.3.0/24 via 10.98.0.2 table 77"),
			 0);
	net = make("a", "bridge:br1", NULL);
	assert_int_equal(ntohl(net.gateway.s_addr), 0x0a560401);
	leave("a");
	assert_int_equal(system("ip route del unreachable 10.86.2.8/29"), 0);
	link_delete("wire");
}

/* Should it wait, the alarm ends all. */
static void test_who_was_on_no_bridge_waits_for_nobody(void **state)
{
	int lock = leases_lock(dir, "net", NULL);

	(void)state;
	assert_true(lock >= 0);
	(void)alarm(5);
	leave("nobody");
	(void)alarm(0);
	close(lock);
}

static int set_up(void **state)
{
	if (real_need_root(state) < 0 || unshare(CLONE_NEWNET) < 0 || !mkdtemp(dir))
		return -1;
	return host_open("/", &host);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	host_free(host);
	return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_containers_reach_each_other_and_the_host),
		cmocka_unit_test(test_address_that_was_asked_for),
		cmocka_unit_test(test_new_bridge_keeps_off_the_subnets_of_others),
		cmocka_unit_test(test_new_bridge_keeps_off_what_the_host_routes_elsewhere),
		cmocka_unit_test(test_no_bridge_is_made_for_an_address_that_is_refused),
		cmocka_unit_test(test_bridge_that_was_cut_short_is_finished),
		cmocka_unit_test(test_bridge_of_a_killed_launcher_goes_with_its_container),
		cmocka_unit_test(test_interface_that_is_no_bridge_is_refused),
		cmocka_unit_test(test_bridge_of_others_wants_an_address_that_nobody_has),
		cmocka_unit_test(test_who_was_on_no_bridge_waits_for_nobody),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
