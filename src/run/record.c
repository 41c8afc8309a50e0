/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <json-glib/json-glib.h>

#include "run/fail.h"
#include "run/state.h"

/* A limit that was not asked for is left out; one that was lifted is -1. */
enum kind { TEXT, NUMBER, LIMIT, TRUTH, LIST };

#define ROW(sort, member)                                                                          \
	{                                                                                          \
		.key = #member, .kind = (sort), .offset = offsetof(struct state, member)           \
	}

static const struct row {
	const char *key;
	enum kind kind;
	size_t offset;
} rows[] = {
	ROW(TEXT, name),          ROW(TEXT, phase),
	ROW(TEXT, status),        ROW(NUMBER, pid),
	ROW(NUMBER, start_ticks), ROW(NUMBER, exit_status),
	ROW(NUMBER, created),     ROW(NUMBER, finished),
	ROW(LIST, command),       ROW(LIST, layers),
	ROW(TEXT, data),          ROW(LIST, env),
	ROW(TEXT, user),          ROW(TEXT, workdir),
	ROW(LIST, cap_add),       ROW(LIST, cap_drop),
	ROW(TEXT, hostname),      ROW(NUMBER, monitor),
	ROW(TEXT, seccomp),       ROW(TEXT, seccomp_profile),
	ROW(TEXT, address),       ROW(NUMBER, monitor_ticks),
	ROW(TRUTH, detached),     ROW(TRUTH, tty),
	ROW(TRUTH, userns),       ROW(TRUTH, lxcfs),
	ROW(TRUTH, host_uts),     ROW(TRUTH, host_ipc),
	ROW(TRUTH, host_pid),     ROW(TRUTH, host_cgroup),
	ROW(TRUTH, host_net),     ROW(TRUTH, host_time),
	ROW(LIST, ulimits),       ROW(TEXT, pid_file),
	ROW(LIMIT, memory),       ROW(LIMIT, memory_swap),
	ROW(LIMIT, cpu_quota),    ROW(LIMIT, cpu_shares),
	ROW(LIMIT, pids_limit),   ROW(LIST, device_bps),
	ROW(TEXT, cpuset_cpus),   ROW(TEXT, cpuset_mems),
};

void state_clear(struct state *state)
{
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		char *field = (char *)state + rows[i].offset;

		if (rows[i].kind == TEXT)
			g_free(*(char **)field);
		else if (rows[i].kind == LIST && *(GPtrArray **)field)
			g_ptr_array_unref(*(GPtrArray **)field);
	}
	*state = (struct state){ 0 };
}

/* JSON is UTF-8; a path or an argument may be any bytes. */
static char *to_utf8(const char *text)
{
	return g_utf8_validate(text, -1, NULL) ? g_strdup(text) : g_utf8_make_valid(text, -1);
}

static void add_text(JsonBuilder *b, const char *text)
{
	g_autofree char *valid = to_utf8(text);

	json_builder_add_string_value(b, valid);
}

static void add_list(JsonBuilder *b, const GPtrArray *list)
{
	json_builder_begin_array(b);
	for (guint i = 0; list && i < list->len; i++)
		add_text(b, list->pdata[i]);
	json_builder_end_array(b);
}

static void add_row(JsonBuilder *b, const struct row *row, const struct state *state)
{
	const char *field = (const char *)state + row->offset;
	const char *text = row->kind == TEXT ? *(char *const *)field : NULL;

	if ((row->kind == TEXT && !text) || (row->kind == LIMIT && *(const uint64_t *)field == 0))
		return;
	json_builder_set_member_name(b, row->key);
	switch (row->kind) {
	case TEXT:
		add_text(b, text);
		break;
	case NUMBER:
	case LIMIT:
		json_builder_add_int_value(b, (gint64) * (const uint64_t *)field);
		break;
	case TRUTH:
		json_builder_add_boolean_value(b, *(const bool *)field);
		break;
	case LIST:
		add_list(b, *(GPtrArray *const *)field);
		break;
	}
}

char *state_to_json(const struct state *state)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonGenerator) generator = json_generator_new();
	JsonNode *root;
	char *text;

	json_builder_begin_object(b);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
		add_row(b, &rows[i], state);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	json_generator_set_root(generator, root);
	json_generator_set_pretty(generator, TRUE);
	text = json_generator_to_data(generator, NULL);
	json_node_unref(root);
	return text;
}

static bool take_list(JsonNode *node, GPtrArray **ret)
{
	JsonArray *array = JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
	guint n = array ? json_array_get_length(array) : 0;

	if (!array)
		return false;
	for (guint i = 0; i < n; i++) {
		JsonNode *element = json_array_get_element(array, i);

		if (json_node_get_value_type(element) != G_TYPE_STRING)
			return false;
		g_ptr_array_add(*ret, json_node_dup_string(element));
	}
	return true;
}

static bool take_row(const struct row *row, JsonNode *node, struct state *ret)
{
	char *field = (char *)ret + row->offset;
	GType type = JSON_NODE_HOLDS_VALUE(node) ? json_node_get_value_type(node) : G_TYPE_NONE;

	switch (row->kind) {
	case TEXT:
		if (type != G_TYPE_STRING)
			return false;
		*(char **)field = json_node_dup_string(node);
		return true;
	case NUMBER:
	case LIMIT:
		if (type != G_TYPE_INT64 || json_node_get_int(node) < (row->kind == LIMIT ? -1 : 0))
			return false;
		*(uint64_t *)field = (uint64_t)json_node_get_int(node);
		return true;
	case TRUTH:
		if (type != G_TYPE_BOOLEAN)
			return false;
		*(bool *)field = json_node_get_boolean(node);
		return true;
	case LIST:
		break;
	}
	return take_list(node, (GPtrArray **)field);
}

bool state_from_json(const char *text, struct state *ret, GError **error)
{
	g_autoptr(JsonNode) root = json_from_string(text, error);
	AUTO_STATE struct state s = { 0 };
	JsonObject *object;

	if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
		if (error && *error)
			return false;
		return run_fail(error, 0, "no JSON object");
	}
	object = json_node_get_object(root);
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		JsonNode *node = json_object_get_member(object, rows[i].key);

		if (rows[i].kind == LIST)
			*(GPtrArray **)((char *)&s + rows[i].offset) =
				g_ptr_array_new_with_free_func(g_free);
		if (node && !take_row(&rows[i], node, &s))
			return run_fail(error, 0, "'%s' is of the wrong kind", rows[i].key);
	}
	if (!s.name || !s.phase)
		return run_fail(error, 0, "there is no name or no phase");
	*ret = s;
	s = (struct state){ 0 };
	return true;
}
