/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/net.h"

#include <arpa/inet.h>

#include "fixture.h"

static struct spec_network parse(const char *text, const char *ip)
{
	struct spec_network n = { 0 };
	g_autoptr(GError) error = NULL;

	if (!net_parse(text, ip, &n, &error))
		fail_msg("%s", error->message);
	return n;
}

static void test_words(void **state)
{
	static const struct {
		const char *text, *bridge;
		enum spec_net kind;
		bool nat;
	} cases[] = {
		{ .text = "none", .kind = SPEC_NET_NONE },
		{ .text = "host", .kind = SPEC_NET_HOST },
		{ .text = "bridge", .kind = SPEC_NET_BRIDGE, .bridge = NET_BRIDGE },
		{ .text = "bridge,nat",
		  .kind = SPEC_NET_BRIDGE,
		  .bridge = NET_BRIDGE,
		  .nat = true },
		{ .text = "bridge:br-0.x", .kind = SPEC_NET_BRIDGE, .bridge = "br-0.x" },
		{ .text = "bridge:b,nat", .kind = SPEC_NET_BRIDGE, .bridge = "b", .nat = true },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		struct spec_network n = parse(cases[i].text, NULL);

		assert_int_equal(n.kind, cases[i].kind);
		assert_int_equal(n.nat, cases[i].nat);
		assert_int_equal(g_strcmp0(n.bridge, cases[i].bridge), 0);
		assert_int_equal(n.ip.s_addr, 0);
		g_free(n.bridge);
	}
}

static void test_address(void **state)
{
	struct spec_network n = parse("bridge", "10.86.0.7");

	(void)state;
	assert_int_equal(ntohl(n.ip.s_addr), 0x0a560007);
	g_free(n.bridge);
}

static void test_what_is_none_of_them(void **state)
{
	static const char *const bad[][2] = {
		{ "", NULL },
		{ "bridg", NULL },
		{ "bridge:", NULL },
		{ "bridge:,nat", NULL },
		{ "bridge,", NULL },
		{ "bridge,nat,nat", NULL },
		{ "bridge:../x", NULL },
		{ "bridge:a b", NULL },
		{ "bridge:0123", NULL },
		{ "bridge:abcdefghijklmnop", NULL },
		{ "bridgex:a", NULL },
		{ "none", "10.0.0.1" },
		{ "bridge", "10.0.0" },
		{ "bridge", "0.0.0.0" },
		{ "bridge", "::1" },
		{ "bridge", "" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
		struct spec_network n = { 0 };
		g_autoptr(GError) error = NULL;

		assert_false(net_parse(bad[i][0], bad[i][1], &n, &error));
		assert_non_null(error);
		assert_null(n.bridge);
	}
}

static void feed_net(const char *text, void *data)
{
	struct spec_network n = { 0 };

	(void)data;
	if (net_parse(text, text, &n, NULL) || net_parse(text, NULL, &n, NULL))
		g_free(n.bridge);
}

static void test_hostile_words(void **state)
{
	(void)state;
	feed_hostile("bridge:name,nat", feed_net, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_what_is_none_of_them),
		cmocka_unit_test(test_hostile_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
