/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bind/live.h"
#include "ctl/ask.h"
#include "ctl/command.h"
#include "install/plan.h"
#include "util/fd.h"
#include "util/num.h"
#include "util/octal.h"

/* How the daemon's words are shown to people. A word that is not here is shown as it is. */
static const struct {
	const char *key, *label;
	enum { PLAIN, PID, TIME, RESEND, FLAG } kind;
} known[] = {
	{ .key = "version", .label = "version" },
	{ .key = "mountpoint", .label = "mount point" },
	{ .key = "uptime_ms", .label = "up", .kind = TIME },
	{ .key = "keeper_pid", .label = "keeper", .kind = PID },
	{ .key = "worker_pid", .label = "worker", .kind = PID },
	{ .key = "standby_pid", .label = "standby", .kind = PID },
	{ .key = "restarts", .label = "workers replaced" },
	{ .key = "keepers", .label = "keepers replaced" },
	{ .key = "upgrades", .label = "upgrades" },
	{ .key = "resend", .label = "requests in hand", .kind = RESEND },
	{ .key = "beneath", .label = "mounts beneath", .kind = FLAG },
	{ .key = "stored_fds", .label = "sent to systemd" },
	{ .key = "holder", .label = "holder", .kind = FLAG },
	{ .key = "repair", .label = "repair" },
	{ .key = "containers", .label = "containers" },
	{ .key = "requests", .label = "requests" },
	{ .key = "requests_per_second", .label = "requests a second" },
};

static void print_time(uint64_t ms)
{
	uint64_t s = ms / 1000;

	if (s >= 86400)
		printf("%llu d ", (unsigned long long)(s / 86400));
	printf("%02u:%02u:%02u\n", (unsigned)(s / 3600 % 24), (unsigned)(s / 60 % 60),
	       (unsigned)(s % 60));
}

static void print_line(const char *key, const char *value)
{
	bool yes = strcmp(value, "yes") == 0;
	uint64_t number = 0;
	size_t i = 0;

	while (i < G_N_ELEMENTS(known) && strcmp(known[i].key, key) != 0)
		i++;
	printf("%-18s ", i < G_N_ELEMENTS(known) ? known[i].label : key);
	switch (i < G_N_ELEMENTS(known) ? known[i].kind : PLAIN) {
	case PID:
		puts(strcmp(value, "0") == 0 ? "none" : value);
		break;
	case TIME:
		(void)num_parse(value, &number);
		print_time(number);
		break;
	case RESEND:
		puts(yes ? "in a journal or asked for again (RESEND)" : "in a journal alone");
		break;
	case FLAG:
	case PLAIN:
		puts(value);
		break;
	}
}

/* "AGE_MS REASON" */
static void print_restart(const char *value)
{
	g_autofree char *reason = g_strdup(strchr(value, ' ') ? strchr(value, ' ') + 1 : "?");
	uint64_t age = 0;

	(void)num_take(&value, &age);
	printf("%-18s %llu s ago: %s\n", "worker replaced", (unsigned long long)(age / 1000),
	       octal_unescape(reason));
}

static void add_text(JsonBuilder *b, const char *value)
{
	g_autofree char *plain = octal_unescape(g_strdup(value));
	g_autofree char *valid = g_utf8_make_valid(plain, -1);

	json_builder_add_string_value(b, valid);
}

static void add_line(JsonBuilder *b, const char *key, const char *value)
{
	uint64_t number;

	json_builder_set_member_name(b, key);
	if (num_parse(value, &number) && number <= G_MAXINT64)
		json_builder_add_int_value(b, (gint64)number);
	else if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
		json_builder_add_boolean_value(b, strcmp(value, "yes") == 0);
	else
		add_text(b, value);
}

static void add_restart(JsonBuilder *b, const char *value)
{
	uint64_t age = 0;

	json_builder_begin_object(b);
	(void)num_take(&value, &age);
	json_builder_set_member_name(b, "age_ms");
	json_builder_add_int_value(b, (gint64)age);
	json_builder_set_member_name(b, "reason");
	add_text(b, *value == ' ' ? value + 1 : value);
	json_builder_end_object(b);
}

/* The value behind "key " when that is what the line begins with. */
static const char *value_of(char *line)
{
	char *blank = strchr(line, ' ');

	if (!blank)
		return NULL;
	*blank = '\0';
	return blank + 1;
}

static bool is_restart(const char *line)
{
	return g_str_has_prefix(line, "restart ");
}

typedef void way_fn(const struct way *way, const char *whom, void *arg);

/* Those that are installed. */
static void each_way(const struct ctl_args *args, way_fn *fn, void *arg)
{
	const struct way_options options = { .mountpoint = args->mountpoint };
	AUTO_FD int root = open(args->root, O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; root >= 0 && i < n_ways; i++) {
		enum plan_state state;

		if (plan_state(root, &ways[i], &options, &state, NULL) && state != PLAN_MISSING)
			fn(&ways[i], way_for_whom(root, &ways[i]), arg);
	}
}

static void print_way(const struct way *way, const char *whom, void *arg)
{
	(void)arg;
	printf("%-18s %s: %s\n", "installed for", way->name, whom);
}

static void add_way(const struct way *way, const char *whom, void *arg)
{
	JsonBuilder *b = arg;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "engine");
	json_builder_add_string_value(b, way->name);
	json_builder_set_member_name(b, "for");
	json_builder_add_string_value(b, whom);
	json_builder_set_member_name(b, "file");
	json_builder_add_string_value(b, way->path);
	json_builder_end_object(b);
}

static void print_json(const struct ctl_args *args, char **lines)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *text = NULL;

	json_builder_begin_object(b);
	for (char **l = lines; *l; l++) {
		const char *value = is_restart(*l) ? NULL : value_of(*l);

		if (value)
			add_line(b, *l, value);
	}
	json_builder_set_member_name(b, "recent_restarts");
	json_builder_begin_array(b);
	for (char **l = lines; *l; l++)
		if (is_restart(*l))
			add_restart(b, *l + strlen("restart "));
	json_builder_end_array(b);
	json_builder_set_member_name(b, "installed");
	json_builder_begin_array(b);
	each_way(args, add_way, b);
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	text = json_to_string(root, TRUE);
	puts(text);
}

static void print_text(const struct ctl_args *args, char **lines)
{
	for (char **l = lines; *l; l++) {
		bool restart = is_restart(*l);
		const char *value = value_of(*l);

		if (value && restart)
			print_restart(value);
		else if (value)
			print_line(*l, value);
	}
	each_way(args, print_way, NULL);
}

static int say_silence(const char *mountpoint)
{
	g_autofree char *sentence = live_silence(mountpoint);

	return ctl_error("%s", sentence);
}

/* There is no keeper to be asked. */
static int say_none(const char *mountpoint)
{
	AUTO_FD int dir = open(mountpoint, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = dir < 0 ? -errno : live_ask(dir);

	if (r == -ETIMEDOUT)
		return say_silence(mountpoint);
	if (r == -ENOTCONN)
		return ctl_error(
			"no lxcfs-clone serves %s, where a dead one's mount is left: start it "
			"again",
			mountpoint);
	return ctl_error("no lxcfs-clone serves %s", mountpoint);
}

int ctl_status(const struct ctl_args *args)
{
	g_auto(GStrv) lines = NULL;
	const char *refused;
	int r = ask_daemon(args->mountpoint, &lines);

	if (!g_file_test(args->root, G_FILE_TEST_IS_DIR))
		return ctl_error("%s is no folder", args->root);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return say_none(args->mountpoint);
	if (r == -ETIMEDOUT)
		return say_silence(args->mountpoint);
	if (r < 0)
		return ctl_error("cannot ask the lxcfs-clone at %s: %s", args->mountpoint,
				 g_strerror(-r));
	refused = g_str_has_prefix(lines[0], "error ") ? lines[0] + strlen("error ") : NULL;
	if (refused)
		return ctl_error("the lxcfs-clone at %s says: %s", args->mountpoint, refused);
	if (args->json)
		print_json(args, lines);
	else
		print_text(args, lines);
	return CTL_OK;
}
