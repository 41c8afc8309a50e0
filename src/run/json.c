/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/json.h"

#include <stdbool.h>

static bool is_text(JsonNode *n)
{
	return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_STRING;
}

static bool is_list(JsonNode *n, bool texts)
{
	JsonArray *a = JSON_NODE_HOLDS_ARRAY(n) ? json_node_get_array(n) : NULL;

	for (guint i = 0; a && i < json_array_get_length(a); i++) {
		JsonNode *e = json_array_get_element(a, i);

		if (texts ? !is_text(e) : !JSON_NODE_HOLDS_OBJECT(e))
			return false;
	}
	return a;
}

static bool has_shape(JsonNode *n, enum json_shape shape)
{
	switch (shape) {
	case JSON_TEXT:
		return is_text(n);
	case JSON_NUMBER:
		return JSON_NODE_HOLDS_VALUE(n) && json_node_get_value_type(n) == G_TYPE_INT64;
	case JSON_OBJECT:
		return JSON_NODE_HOLDS_OBJECT(n);
	case JSON_TEXTS:
	case JSON_OBJECTS:
		return is_list(n, shape == JSON_TEXTS);
	}
	return false;
}

const char *json_check(JsonObject *o, const struct json_field *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		JsonNode *member = json_object_get_member(o, fields[i].name);

		if (member && !JSON_NODE_HOLDS_NULL(member) && !has_shape(member, fields[i].shape))
			return fields[i].name;
	}
	return NULL;
}

static JsonNode *member(JsonObject *o, const char *name)
{
	JsonNode *n = json_object_get_member(o, name);

	return n && !JSON_NODE_HOLDS_NULL(n) ? n : NULL;
}

const char *json_text(JsonObject *o, const char *name)
{
	JsonNode *n = member(o, name);

	return n ? json_node_get_string(n) : NULL;
}

int64_t json_number(JsonObject *o, const char *name, int64_t fallback)
{
	JsonNode *n = member(o, name);

	return n ? json_node_get_int(n) : fallback;
}

JsonArray *json_array(JsonObject *o, const char *name)
{
	JsonNode *n = member(o, name);

	return n ? json_node_get_array(n) : NULL;
}

JsonObject *json_object(JsonObject *o, const char *name)
{
	JsonNode *n = member(o, name);

	return n ? json_node_get_object(n) : NULL;
}

unsigned json_length(JsonArray *a)
{
	return a ? json_array_get_length(a) : 0;
}
