/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/oci.h"

#include <json-glib/json-glib.h>
#include <limits.h>
#include <string.h>

#include "util/jsontext.h"
#include "util/octal.h"

#define FILES_MAX 64u
#define NAME_LEN  255u
/* As much of a text of others' as a sentence quotes. */
#define QUOTED    64

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool refuse(GError **error, const char *format, ...)
{
	va_list ap;
	g_autofree char *sentence = NULL;

	va_start(ap, format);
	sentence = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, sentence);
	return false;
}

/* Cut within a character it would be no UTF-8. */
static char *quoted(const char *text)
{
	g_autofree char *start = g_strndup(text, QUOTED);
	g_autofree char *valid = g_utf8_make_valid(start, -1);

	return octal_escaped(valid);
}

/* Such a name is below the mount point, whatever else it is. */
static bool is_file_name(const char *name)
{
	g_auto(GStrv) parts = g_strsplit(name, "/", -1);

	if (strlen(name) > NAME_LEN ||
	    strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "/._-") != strlen(name))
		return false;
	for (char **part = parts; *part; part++)
		if (**part == '\0' || **part == '.')
			return false;
	return parts[0];
}

/* Between blanks; podman takes a comma in an annotation for the end of it. */
static void add_words(GPtrArray *names, const char *text)
{
	g_auto(GStrv) words = g_strsplit_set(text, " \t\n", -1);
	guint before = names->len;

	for (char **word = words; *word; word++)
		if (**word)
			g_ptr_array_add(names, g_strdup(*word));
	if (names->len == before) /* nothing between two commas */
		g_ptr_array_add(names, g_strdup(""));
}

bool oci_files(const char *text, char ***ret, GError **error)
{
	g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
	g_auto(GStrv) parts = g_strsplit(text, ",", FILES_MAX + 1);

	for (char **part = parts; *part; part++)
		add_words(names, *part);
	if (names->len > FILES_MAX)
		return refuse(error, "more than %u files are named", FILES_MAX);
	for (guint i = 0; i < names->len; i++) {
		g_autofree char *quote = quoted(names->pdata[i]);

		if (!is_file_name(names->pdata[i]))
			return refuse(error, "'%s' cannot be the name of a file here", quote);
	}
	if (names->len == 0)
		return refuse(error, "no file is named");
	g_ptr_array_add(names, NULL);
	*ret = (char **)g_ptr_array_steal(names, NULL);
	return true;
}

/* NULL when it is missing, or null. */
static JsonNode *member(JsonObject *o, const char *name)
{
	JsonNode *node = json_object_get_member(o, name);

	return node && !JSON_NODE_HOLDS_NULL(node) ? node : NULL;
}

/* *@ret: borrowed; NULL when it is missing. */
static bool take_text(JsonObject *o, const char *name, const char **ret, GError **error)
{
	JsonNode *node = member(o, name);

	*ret = NULL;
	if (!node)
		return true;
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
		return refuse(error, "its '%s' is no text", name);
	*ret = json_node_get_string(node);
	return true;
}

static bool take_object(JsonObject *o, const char *name, JsonObject **ret, GError **error)
{
	JsonNode *node = member(o, name);

	*ret = NULL;
	if (node && !JSON_NODE_HOLDS_OBJECT(node))
		return refuse(error, "its '%s' is no object", name);
	*ret = node ? json_node_get_object(node) : NULL;
	return true;
}

/* One that is there, and is not empty. */
static bool need_text(JsonObject *o, const char *name, const char **ret, GError **error)
{
	if (!take_text(o, name, ret, error))
		return false;
	if (*ret && **ret)
		return true;
	refuse(error, "it has no '%s'", name);
	return false;
}

static bool is_path(const char *text)
{
	return *text && strlen(text) < PATH_MAX;
}

static bool take_switch(const char *value, bool *ret_off, GError **error)
{
	g_autofree char *quote = NULL;

	if (strcmp(value, "off") == 0 || strcmp(value, "on") == 0) {
		*ret_off = strcmp(value, "off") == 0;
		return true;
	}
	quote = quoted(value);
	return refuse(error, "its annotation lxcfs-clone is '%s', neither on nor off", quote);
}

static void clear_wish(struct oci_wish *wish)
{
	g_strfreev(wish->files);
	*wish = (struct oci_wish){ 0 };
}

static bool take_wish(JsonObject *o, struct oci_wish *ret, GError **error)
{
	JsonObject *annotations;
	const char *value, *files;

	if (!take_object(o, "annotations", &annotations, error))
		return false;
	if (!annotations)
		return true;
	if (!take_text(annotations, "lxcfs-clone", &value, error) ||
	    !take_text(annotations, "lxcfs-clone/files", &files, error) ||
	    (value && !take_switch(value, &ret->off, error)))
		return false;
	if (files && !oci_files(files, &ret->files, error)) {
		g_prefix_error(error, "its annotation lxcfs-clone/files: ");
		return false;
	}
	return true;
}

static bool take_pid(JsonObject *o, pid_t *ret, GError **error)
{
	JsonNode *node = member(o, "pid");
	gint64 pid;

	if (!node)
		return refuse(error, "it has no 'pid'");
	if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
		return refuse(error, "its 'pid' is no number");
	pid = json_node_get_int(node);
	if (pid < 0 || pid > OCI_PID_MAX)
		return refuse(error, "its 'pid' cannot be that of a process");
	*ret = (pid_t)pid;
	return true;
}

/* runc says "created" of what runs, too: it is no more than checked. */
static bool check_status(JsonObject *o, GError **error)
{
	static const char *const known[] = { "creating", "created", "running", NULL };
	const char *status;

	if (!need_text(o, "status", &status, error))
		return false;
	return g_strv_contains(known, status) ||
	       refuse(error, "its 'status' is none of a container that is made or runs");
}

static bool fill_state(JsonObject *o, struct oci_state *ret, GError **error)
{
	const char *version, *id, *bundle, *root;

	if (!need_text(o, "ociVersion", &version, error) || !need_text(o, "id", &id, error) ||
	    !check_status(o, error) || !need_text(o, "bundle", &bundle, error) ||
	    !take_text(o, "root", &root, error))
		return false;
	if (*bundle != '/' || !is_path(bundle))
		return refuse(error, "its 'bundle' is no absolute path");
	if (root && !is_path(root))
		return refuse(error, "its 'root' is no path");
	if (!take_pid(o, &ret->pid, error) || !take_wish(o, &ret->wish, error))
		return false;
	ret->bundle = g_strdup(bundle);
	ret->root = g_strdup(root);
	return true;
}

static bool fill_config(JsonObject *o, struct oci_config *ret, GError **error)
{
	JsonObject *root;
	const char *path;

	if (!take_object(o, "root", &root, error))
		return false;
	if (!root)
		return refuse(error, "it has no 'root'");
	if (!need_text(root, "path", &path, error)) {
		g_prefix_error(error, "its 'root': ");
		return false;
	}
	if (!is_path(path))
		return refuse(error, "its 'root.path' is no path");
	if (!take_wish(o, &ret->wish, error))
		return false;
	ret->root = g_strdup(path);
	return true;
}

/* The tree of an object, once it is known not to go deep: the parser would, on the stack. */
static JsonNode *parse(const char *text, size_t len, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	g_autofree char *plain = NULL;
	struct json_span whole;

	if (!jsontext_check(text, len, &whole, error))
		return NULL;
	if (text[whole.begin] != '{') {
		refuse(error, "it is no JSON object");
		return NULL;
	}
	plain = jsontext_of_characters(text);
	return json_parser_load_from_data(parser, plain, -1, error) ? json_parser_steal_root(parser)
								    : NULL;
}

bool oci_state_parse(const char *text, size_t len, struct oci_state *ret, GError **error)
{
	g_autoptr(JsonNode) root = parse(text, len, error);
	AUTO_OCI_STATE struct oci_state state = { 0 };

	if (!root || !fill_state(json_node_get_object(root), &state, error))
		return false;
	*ret = state;
	state = (struct oci_state){ 0 };
	return true;
}

bool oci_config_parse(const char *text, size_t len, struct oci_config *ret, GError **error)
{
	g_autoptr(JsonNode) root = parse(text, len, error);
	AUTO_OCI_CONFIG struct oci_config config = { 0 };

	if (!root || !fill_config(json_node_get_object(root), &config, error))
		return false;
	*ret = config;
	config = (struct oci_config){ 0 };
	return true;
}

void oci_state_clear(struct oci_state *state)
{
	g_free(state->bundle);
	g_free(state->root);
	clear_wish(&state->wish);
	*state = (struct oci_state){ 0 };
}

void oci_config_clear(struct oci_config *config)
{
	g_free(config->root);
	clear_wish(&config->wish);
	*config = (struct oci_config){ 0 };
}
