/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hooks/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hooks/input.h"
#include "hooks/scan.h"
#include "util/fail.h"
#include "util/fd.h"

#define STAGE "createRuntime"

static const char *const stages[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart",
};

static bool refuse(GError **error, const char *sentence)
{
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, sentence);
	return false;
}

static bool add_text(JsonBuilder *b, const char *text, GError **error)
{
	if (!g_utf8_validate(text, -1, NULL))
		return refuse(error, "JSON is UTF-8, and an argument of the hook is not");
	json_builder_add_string_value(b, text);
	return true;
}

char *config_hook(const char *program, const char *const *args, GError **error)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autoptr(JsonGenerator) generator = json_generator_new();
	g_autoptr(JsonNode) root = NULL;

	json_builder_begin_object(b);
	json_builder_set_member_name(b, "path");
	if (!add_text(b, program, error))
		return NULL;
	json_builder_set_member_name(b, "args");
	json_builder_begin_array(b);
	json_builder_add_string_value(b, CONFIG_HOOK);
	for (; *args; args++)
		if (!add_text(b, *args, error))
			return NULL;
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	json_generator_set_root(generator, root);
	return json_generator_to_data(generator, NULL);
}

/* What @text becomes when @len bytes at @at are @put instead. */
static char *spliced(const char *text, size_t size, const char *at, size_t len, const char *put)
{
	const char *rest = at + len;
	GString *s = g_string_sized_new(size + strlen(put));

	g_string_append_len(s, text, at - text);
	g_string_append(s, put);
	g_string_append_len(s, rest, (gssize)(size - (size_t)(rest - text)));
	return g_string_free(s, FALSE);
}

/* The only one of that name, if there is one: *@ret stays as it is otherwise. False and a sentence: there are several, and who knows which one counts. */
static bool take_member(struct scan object, const char *name, struct scan *ret, GError **error)
{
	unsigned found = scan_member(object, name, ret);

	if (found <= 1)
		return true;
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it has '%s' twice", name);
	return false;
}

/* Whether one of the hooks of a stage is ours. */
static bool has_ours(struct scan hooks)
{
	struct scan hook = { NULL, 0 }, path;

	while (scan_next(hooks, &hook))
		if (scan_is_object(hook) && scan_member(hook, "path", &path) &&
		    scan_names(path, CONFIG_HOOK))
			return true;
	return false;
}

static bool is_there(struct scan hooks)
{
	struct scan stage;

	for (size_t i = 0; i < G_N_ELEMENTS(stages); i++)
		if (scan_member(hooks, stages[i], &stage) && scan_is_array(stage) &&
		    has_ours(stage))
			return true;
	return false;
}

/* As the first member of an object. */
static char *with_member(const char *text, size_t len, struct scan object, const char *member)
{
	g_autofree char *put = g_strconcat(member, scan_is_empty(object) ? "" : ",", NULL);

	return spliced(text, len, object.at + 1, 0, put);
}

/* As the last element of an array. */
static char *with_element(const char *text, size_t len, struct scan array, const char *element)
{
	g_autofree char *put = g_strconcat(scan_is_empty(array) ? "" : ",", element, NULL);

	return spliced(text, len, array.at + array.len - 1, 0, put);
}

static bool add_to_hooks(const char *text, size_t len, struct scan hooks, const char *hook,
			 char **ret, GError **error)
{
	g_autofree char *list = g_strdup_printf("[%s]", hook);
	g_autofree char *member = g_strdup_printf("\"" STAGE "\":%s", list);
	struct scan stage = { NULL, 0 };

	if (!take_member(hooks, STAGE, &stage, error))
		return false;
	if (!stage.len)
		*ret = with_member(text, len, hooks, member);
	else if (scan_is_null(stage))
		*ret = spliced(text, len, stage.at, stage.len, list);
	else if (scan_is_array(stage))
		*ret = with_element(text, len, stage, hook);
	else
		return refuse(error, "its 'hooks." STAGE "' is no array");
	return true;
}

bool config_add(const char *text, size_t len, const char *hook, char **ret, GError **error)
{
	g_autofree char *object = g_strdup_printf("{\"" STAGE "\":[%s]}", hook);
	g_autofree char *member = g_strdup_printf("\"hooks\":%s", object);
	struct scan whole, hooks = { NULL, 0 };

	if (!scan_open(text, len, &whole, error))
		return false;
	if (!scan_is_object(whole))
		return refuse(error, "it is no JSON object");
	if (!take_member(whole, "hooks", &hooks, error))
		return false;
	if (!hooks.len) {
		*ret = with_member(text, len, whole, member);
		return true;
	}
	if (scan_is_null(hooks)) {
		*ret = spliced(text, len, hooks.at, hooks.len, object);
		return true;
	}
	if (!scan_is_object(hooks))
		return refuse(error, "its 'hooks' is no object");
	if (is_there(hooks)) {
		*ret = NULL;
		return true;
	}
	return add_to_hooks(text, len, hooks, hook, ret, error);
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
