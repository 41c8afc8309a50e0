/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/nat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "run/fail.h"
#include "util/fd.h"
#include "util/spawn.h"

/* The table of a bridge, and the comment of its rules in others' tables. */
#define TABLE "lxcfs-clone-"

#define NFT_MS    10000
#define SAID_SIZE (1 << 22)

#define IP_FORWARD "sys/net/ipv4/ip_forward"

static bool nft_fail(int err, GError **error)
{
	if (err == ENOENT)
		return run_fail(error, 0, "NAT needs nft, which is not installed");
	if (err == EIO)
		return run_fail(error, 0,
				"nft made no NAT (has this kernel nf_tables, this nft JSON?)");
	return run_fail(error, err, "nft");
}

/* What @argv, an nft, says as JSON: the array that is all of it. */
static JsonParser *ask_nft(const char *const *argv, JsonArray **ret, GError **error)
{
	g_autofree char *said = g_malloc(SAID_SIZE);
	g_autoptr(JsonParser) parser = json_parser_new();
	ssize_t n = spawn_read(argv, NFT_MS, said, SAID_SIZE);
	JsonNode *root;
	JsonObject *o;

	if (n < 0) {
		nft_fail((int)-n, error);
		return NULL;
	}
	if (!json_parser_load_from_data(parser, said, n, error))
		return NULL;
	root = json_parser_get_root(parser);
	o = root && JSON_NODE_HOLDS_OBJECT(root) ? json_node_get_object(root) : NULL;
	if (!o || !json_object_has_member(o, "nftables")) {
		run_fail(error, 0, "nft does not say its rules as JSON");
		return NULL;
	}
	*ret = json_object_get_array_member(o, "nftables");
	return g_steal_pointer(&parser);
}

/* Element @i, if it is a @kind ("chain", "rule"). */
static JsonObject *element(JsonArray *all, guint i, const char *kind)
{
	JsonObject *o = json_array_get_object_element(all, i);

	return json_object_has_member(o, kind) ? json_object_get_object_member(o, kind) : NULL;
}

static const char *text_of(JsonObject *o, const char *name)
{
	return json_object_get_string_member_with_default(o, name, "");
}

/* Appends to @out the commands that take our rules out of @chain, "FAMILY TABLE NAME". */
static bool forget_rules(GString *out, const char *chain, const char *mark, GError **error)
{
	g_auto(GStrv) words = g_strsplit(chain, " ", 3);
	const char *const argv[] = { "nft",    "-j",     "list",   "chain",
				     words[0], words[1], words[2], NULL };
	JsonArray *all = NULL;
	g_autoptr(JsonParser) said = ask_nft(argv, &all, error);

	for (guint i = 0; said && i < json_array_get_length(all); i++) {
		JsonObject *rule = element(all, i, "rule");

		if (rule && strcmp(text_of(rule, "comment"), mark) == 0)
			g_string_append_printf(
				out, "delete rule %s handle %" G_GINT64_FORMAT "; ", chain,
				json_object_get_int_member_with_default(rule, "handle", 0));
	}
	return said;
}

/*
 * Before all others, in words that iptables-nft can read, whose chain it may be: it would refuse to
 * touch it any more. Who comes in unasked is dropped by our own table.
 */
static void accept_in(GString *out, const char *chain, const char *bridge, const char *mark)
{
	static const char *const ways[] = { "iifname", "oifname" };

	for (size_t i = 0; i < G_N_ELEMENTS(ways); i++)
		g_string_append_printf(out,
				       "insert rule %s %s \"%s\" counter accept comment \"%s\"; ",
				       chain, ways[i], bridge, mark);
}

/*
 * Those of others that see what is forwarded: without our rules, and, if @accept, with them anew.
 */
static bool edit_others(GString *out, const char *bridge, const char *mark, bool accept,
			GError **error)
{
	const char *const argv[] = { "nft", "-j", "list", "chains", NULL };
	JsonArray *all = NULL;
	g_autoptr(JsonParser) said = ask_nft(argv, &all, error);

	for (guint i = 0; said && i < json_array_get_length(all); i++) {
		JsonObject *c = element(all, i, "chain");
		const char *family = c ? text_of(c, "family") : "";
		g_autofree char *chain = NULL;

		if (!c || (strcmp(family, "ip") != 0 && strcmp(family, "inet") != 0) ||
		    strcmp(text_of(c, "hook"), "forward") != 0)
			continue;
		chain = g_strdup_printf("%s %s %s", family, text_of(c, "table"),
					text_of(c, "name"));
		if (!forget_rules(out, chain, mark, error))
			return false;
		if (accept && strcmp(text_of(c, "policy"), "drop") == 0)
			accept_in(out, chain, bridge, mark);
	}
	return said;
}

/* All of it or nothing. */
static bool run_nft(const char *commands, GError **error)
{
	const char *const argv[] = { "nft", commands, NULL };
	char said[4096];
	ssize_t n = spawn_read(argv, NFT_MS, said, sizeof(said));

	return n >= 0 || nft_fail((int)-n, error);
}

static void make_table(GString *out, const char *bridge, const struct link_address *a)
{
	char address[INET_ADDRSTRLEN] = "";

	(void)inet_ntop(AF_INET, &a->address, address, sizeof(address));
	/* Added, then deleted: so it is gone whether it was there or not. */
	g_string_append_printf(out,
			       "add table ip " TABLE "%s; delete table ip " TABLE "%s; "
			       "table ip " TABLE "%s { "
			       "chain out { type nat hook postrouting priority 100; "
			       "ip saddr %s/%u oifname != \"%s\" masquerade; }; "
			       "chain in { type filter hook forward priority 0; "
			       "iifname != \"%s\" oifname \"%s\" ct state new drop; }; }",
			       bridge, bridge, bridge, address, a->prefix, bridge, bridge, bridge);
}

/* Only where that table is in use: to ask would make it. */
static bool is_legacy_silent(const struct host *host, const char *bridge, GError **error)
{
	const char *const argv[] = { "iptables-legacy", "-S", "FORWARD", NULL };
	g_autofree char *rule = g_strdup_printf("-i %s -j ACCEPT", bridge);
	char said[1 << 16];

	if (host_read_self(host, "net/ip_tables_names", said, sizeof(said)) <= 0 ||
	    !strstr(said, "filter\n") || spawn_read(argv, NFT_MS, said, sizeof(said)) < 0 ||
	    !strstr(said, "-P FORWARD DROP") || strstr(said, rule))
		return true;
	return run_fail(
		error, 0,
		"iptables-legacy drops what is forwarded: allow it first "
		"(iptables-legacy -I FORWARD %s; iptables-legacy -I FORWARD -o %s -j ACCEPT)",
		rule, bridge);
}

static bool turn_on_forwarding(const struct host *host, bool *ret_forwards, GError **error)
{
	char text[4];
	int r = (int)fd_read_at(host_proc_dir(host), IP_FORWARD, text, sizeof(text));

	*ret_forwards = r > 0 && text[0] == '0';
	if (*ret_forwards)
		r = fd_write_at(host_proc_dir(host), IP_FORWARD, "1");
	return r >= 0 || run_fail(error, -r, "cannot turn on net.ipv4.ip_forward for NAT");
}

bool nat_add(const struct host *host, const char *bridge, const struct link_address *address,
	     bool *ret_forwards, GError **error)
{
	g_autofree char *mark = g_strconcat(TABLE, bridge, NULL);
	g_autoptr(GString) commands = g_string_new(NULL);

	if (!is_legacy_silent(host, bridge, error) ||
	    !edit_others(commands, bridge, mark, true, error))
		return false;
	make_table(commands, bridge, address);
	return run_nft(commands->str, error) && turn_on_forwarding(host, ret_forwards, error);
}

bool nat_remove(const char *bridge, GError **error)
{
	g_autofree char *mark = g_strconcat(TABLE, bridge, NULL);
	g_autoptr(GString) commands = g_string_new(NULL);
	g_autofree char *nft = g_find_program_in_path("nft");

	/* Without it nothing was made; or it was, and nobody can take it away. */
	if (!nft)
		return true;
	if (!edit_others(commands, bridge, mark, false, error))
		return false;
	g_string_append_printf(commands, "add table ip %s; delete table ip %s", mark, mark);
	return run_nft(commands->str, error);
}
