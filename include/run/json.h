/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* JSON of others', whose members may be anything: checked against a table, then read. */
#include <json-glib/json-glib.h>
#include <stddef.h>
#include <stdint.h>

enum json_shape { JSON_TEXT, JSON_NUMBER, JSON_OBJECT, JSON_TEXTS, JSON_OBJECTS };

struct json_field {
	const char *name;
	enum json_shape shape;
};

/*
 * The name of the first of @fields that is there, not null and of another shape; NULL: none.
 * Members that are not in @fields may be anything.
 */
const char *json_check(JsonObject *o, const struct json_field *fields, size_t n);

/* Of what was checked: NULL or @fallback when it is not there or null, else borrowed. */
const char *json_text(JsonObject *o, const char *name);
int64_t json_number(JsonObject *o, const char *name, int64_t fallback);
JsonArray *json_array(JsonObject *o, const char *name);
JsonObject *json_object(JsonObject *o, const char *name);

/* NULL has none. */
unsigned json_length(JsonArray *a);
