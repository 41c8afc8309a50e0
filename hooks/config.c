/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks/input.h"
#include "util/fail.h"
#include "util/fd.h"
#include "util/jsontext.h"

#define STAGE "createRuntime"

static const char *const stages[] = {
	"prestart",       "createRuntime", "createContainer", /* before the container's program */
	"startContainer", "poststart",     "poststop",
};
#define N_EARLY 3u
static const char *const sections[] = { "hooks" };

static bool refuse(GError **error, const char *sentence)
{
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, sentence);
	return false;
}

char *config_hook(const char *program, const char *const *args, GError **error)
{
	g_autofree char *path = jsontext_quote(program);
	GString *hook = g_string_new(NULL);

	g_string_append_printf(hook, "{\"path\":%s,\"args\":[\"" CONFIG_HOOK "\"", path);
	for (; *args; args++) {
		g_autofree char *arg = jsontext_quote(*args);

		g_string_append_printf(hook, ",%s", arg);
	}
	g_string_append(hook, "]}");
	if (g_utf8_validate(hook->str, -1, NULL))
		return g_string_free(hook, FALSE);
	g_string_free(hook, TRUE);
	refuse(error, "JSON is UTF-8, and an argument of the hook is not");
	return NULL;
}

static bool is_null(const char *text, struct json_span value)
{
	return text[value.begin] == 'n';
}

/* The hook's path ends in the name of ours. */
static bool is_ours(const char *text, struct json_span hook)
{
	struct json_member path;
	g_autofree char *file = NULL;

	if (text[hook.begin] != '{' || !jsontext_find(text, hook, "path", &path) ||
	    text[path.value.begin] != '"')
		return false;
	file = jsontext_string(text, path.value);
	return strcmp(file, CONFIG_HOOK) == 0 || g_str_has_suffix(file, "/" CONFIG_HOOK);
}

static bool has_ours(const char *text, struct json_span hooks)
{
	g_autoptr(GArray) list = jsontext_members(text, hooks);

	for (guint i = 0; i < list->len; i++)
		if (is_ours(text, g_array_index(list, struct json_member, i).value))
			return true;
	return false;
}

/* A hook of that name in a stage where nothing can be bound any more counts for nothing. */
static bool is_there(const char *text, struct json_span hooks)
{
	struct json_member stage;

	for (size_t i = 0; i < N_EARLY; i++)
		if (jsontext_find(text, hooks, stages[i], &stage) &&
		    text[stage.value.begin] == '[' && has_ours(text, stage.value))
			return true;
	return false;
}

/* As the last element. */
static char *with_element(const char *text, struct json_span array, const char *element)
{
	g_autoptr(GArray) list = jsontext_members(text, array);
	struct json_span end = { array.end - 1, array.end - 1 };
	g_autofree char *put = g_strconcat(list->len ? "," : "", element, NULL);

	return jsontext_replace(text, end, put);
}

/* There may be one of the name, but not several: who knows which one counts. */
static bool find_one(const char *text, struct json_span object, const char *name,
		     struct json_member *ret, GError **error)
{
	*ret = (struct json_member){ 0 };
	if (jsontext_find(text, object, name, ret) <= 1)
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it has '%s' twice", name);
	return false;
}

/*
 * runc's parser takes a key for a field whatever its case, U+212A and U+017F included, which are k
 * and s to it; another one's does not. Of two such keys the last one counts, or both do.
 */
static bool is_nearly(const char *key, const char *name)
{
	g_autofree char *folded = g_utf8_casefold(key, -1);
	g_autofree char *sought = g_utf8_casefold(name, -1);

	return strcmp(key, name) != 0 && strcmp(folded, sought) == 0;
}

static bool check_keys(const char *text, struct json_span object, const char *const *names,
		       size_t n, GError **error)
{
	g_autoptr(GArray) members = jsontext_members(text, object);

	for (guint i = 0; i < members->len; i++) {
		const struct json_member *m = &g_array_index(members, struct json_member, i);
		g_autofree char *key = jsontext_string(text, m->key);

		for (size_t k = 0; k < n; k++) {
			if (!is_nearly(key, names[k]))
				continue;
			g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
				    "it has '%s', which some take for '%s'", key, names[k]);
			return false;
		}
	}
	return true;
}

/* *@ret: @text with @hook in the object @hooks. */
static bool add_to_stage(const char *text, struct json_span whole, struct json_span hooks,
			 const char *hook, char **ret, GError **error)
{
	g_autofree char *list = g_strdup_printf("[%s]", hook);
	struct json_member stage;

	if (!find_one(text, hooks, STAGE, &stage, error))
		return false;
	if (!stage.value.end)
		*ret = jsontext_insert(text, whole, hooks, STAGE, list);
	else if (is_null(text, stage.value))
		*ret = jsontext_replace(text, stage.value, list);
	else if (text[stage.value.begin] == '[')
		*ret = with_element(text, stage.value, hook);
	else
		return refuse(error, "its 'hooks." STAGE "' is no array");
	return true;
}

bool config_add(const char *text, size_t len, const char *hook, char **ret, GError **error)
{
	g_autofree char *object = g_strdup_printf("{\"" STAGE "\":[%s]}", hook);
	struct json_span whole;
	struct json_member hooks;

	if (!jsontext_check(text, len, &whole, error))
		return false;
	if (text[whole.begin] != '{')
		return refuse(error, "it is no JSON object");
	if (!check_keys(text, whole, sections, G_N_ELEMENTS(sections), error) ||
	    !find_one(text, whole, "hooks", &hooks, error))
		return false;
	*ret = NULL;
	if (!hooks.value.end)
		*ret = jsontext_insert(text, whole, whole, "hooks", object);
	else if (is_null(text, hooks.value))
		*ret = jsontext_replace(text, hooks.value, object);
	else if (text[hooks.value.begin] != '{')
		return refuse(error, "its 'hooks' is no object");
	else if (!check_keys(text, hooks.value, stages, G_N_ELEMENTS(stages), error))
		return false;
	else if (!is_there(text, hooks.value))
		return add_to_stage(text, whole, hooks.value, hook, ret, error);
	return true;
}

static bool write_all(int fd, const char *text)
{
	for (size_t left = strlen(text); left;) {
		ssize_t n = write(fd, text, left);

		if (n < 0 && errno != EINTR)
			return false;
		text += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool write_new(int dir, const char *name, const char *text, const struct stat *like,
		      GError **error)
{
	AUTO_FD int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return fail(error, errno, "no file can be made beside it");
	return (fchown(fd, like->st_uid, like->st_gid) == 0 &&
		fchmod(fd, like->st_mode & 07777) == 0 && write_all(fd, text)) ||
	       fail(error, errno, "it cannot be written anew");
}

/* Whoever reads it has the former text or the new one. */
static bool replace(int dir, const char *name, const char *text, GError **error)
{
	g_autofree char *new_name = g_strdup_printf("%s.lxcfs-clone.%d", name, getpid());
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(error, errno, "it cannot be looked at");
	if (!S_ISREG(st.st_mode))
		return refuse(error, "it is no regular file");
	if (write_new(dir, new_name, text, &st, error) &&
	    (renameat(dir, new_name, dir, name) == 0 ||
	     fail(error, errno, "it cannot be replaced")))
		return true;
	(void)unlinkat(dir, new_name, 0);
	return false;
}

static bool edit(const char *bundle, const char *name, const char *hook, GError **error)
{
	AUTO_FD int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_INPUT struct input input = { 0 };
	g_autofree char *text = NULL;

	if (dir < 0)
		return fail(error, errno, "its folder cannot be opened");
	return input_file(dir, name, &input, error) &&
	       config_add(input.text, input.len, hook, &text, error) &&
	       (!text || replace(dir, name, text, error));
}

bool config_edit(const char *bundle, const char *name, const char *hook, GError **error)
{
	if (edit(bundle, name, hook, error))
		return true;
	g_prefix_error(error, "%s/%s: ", bundle, name);
	return false;
}
