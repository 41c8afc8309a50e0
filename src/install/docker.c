/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dockerd's daemon.json, which is the operator's: two keys of it are ours. */
#include <string.h>

#include "bind/instance.h"
#include "install/ways.h"
#include "util/jsontext.h"

#define RUNTIMES "runtimes"
#define DEFAULT  "default-runtime"
#define ARGS     "runtimeArgs"
#define USUAL    "runc" /* dockerd's own default */

static bool refuse(GError **error, const char *sentence)
{
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, sentence);
	return false;
}

/* dockerd takes an empty file for an empty object. */
static bool is_blank(const char *text)
{
	return text[strspn(text, " \t\r\n")] == '\0';
}

static bool parse(const char *text, struct json_span *ret, GError **error)
{
	struct json_span root;

	if (!jsontext_check(text, strlen(text), &root, error))
		return false;
	if (text[root.begin] != '{')
		return refuse(error, "it is no JSON object");
	*ret = root;
	return true;
}

/* 1 with *@ret where @object has @key, which must begin with @first; 0: it has not; -1: wrong. */
static int member(const char *text, struct json_span object, const char *key, char first,
		  struct json_member *ret, GError **error)
{
	unsigned n = jsontext_find(text, object, key, ret);
	g_autofree char *quoted = jsontext_quote(key); /* it may be of the text: any characters */

	if (n > 1) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it has %s twice", quoted);
		return -1;
	}
	if (n == 1 && text[ret->value.begin] != first) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is %s there", quoted,
			    jsontext_kind(text, ret->value));
		return -1;
	}
	return (int)n;
}

/* What ours is in a text. */
struct found {
	struct json_span root;
	struct json_member runtimes, runtime, standard;
	bool has_runtimes, has_runtime, has_standard;
	bool is_default; /* .standard names ours */
};

static bool is_ours(const char *text, const struct found *f, GError **error)
{
	struct json_member path;
	g_autofree char *program = NULL;
	int n = member(text, f->runtime.value, "path", '"', &path, error);

	if (n == 1)
		program = jsontext_string(text, path.value);
	if (program && strcmp(program, RUNTIME_PROGRAM) == 0)
		return true;
	if (n >= 0)
		refuse(error, "it has a runtime \"" WAY_RUNTIME "\" that is not " RUNTIME_PROGRAM);
	return false;
}

static bool look(const char *text, struct found *f, GError **error)
{
	int n;

	*f = (struct found){ 0 };
	if (!parse(text, &f->root, error))
		return false;
	n = member(text, f->root, RUNTIMES, '{', &f->runtimes, error);
	if (n < 0)
		return false;
	f->has_runtimes = n;
	if (n == 1) {
		n = member(text, f->runtimes.value, WAY_RUNTIME, '{', &f->runtime, error);
		if (n < 0)
			return false;
		f->has_runtime = n;
	}
	if (f->has_runtime && !is_ours(text, f, error))
		return false;
	n = member(text, f->root, DEFAULT, '"', &f->standard, error);
	if (n < 0)
		return false;
	f->has_standard = n;
	if (n == 1) {
		g_autofree char *name = jsontext_string(text, f->standard.value);

		f->is_default = strcmp(name, WAY_RUNTIME) == 0;
	}
	return true;
}

bool docker_has_arguments(const char *text)
{
	struct json_member args;
	struct found f;

	return !is_blank(text) && look(text, &f, NULL) && f.has_runtime &&
	       jsontext_find(text, f.runtime.value, ARGS, &args) > 0;
}

char *docker_part(const char *text)
{
	struct found f;

	if (is_blank(text) || !look(text, &f, NULL) || !f.has_runtime)
		return NULL;
	return jsontext_compact(text, f.runtime.value);
}

bool docker_makes_default(const char *text)
{
	struct found f;

	return !is_blank(text) && look(text, &f, NULL) && f.is_default;
}

/* Each of these takes a text and gives another one, which it owns, in its place. */
static void take(char **text, char *changed)
{
	g_free(*text);
	*text = changed;
}

static bool insert(char **text, const char *const *objects, const char *key, const char *value,
		   GError **error)
{
	struct json_span root, object;
	struct json_member m;

	if (!parse(*text, &root, error))
		return false;
	object = root;
	for (; *objects; objects++) {
		if (member(*text, object, *objects, '{', &m, error) != 1)
			return false;
		object = m.value;
	}
	take(text, jsontext_insert(*text, root, object, key, value));
	return true;
}

static bool set_default(char **text, const struct found *f, GError **error)
{
	g_autofree char *name = NULL;

	if (!f->has_standard)
		return insert(text, (const char *const[]){ NULL }, DEFAULT, "\"" WAY_RUNTIME "\"",
			      error);
	name = jsontext_string(*text, f->standard.value);
	/* Ours has one of these two do the work; whatever else it is would be left out. */
	if (strcmp(name, "runc") != 0 && strcmp(name, "crun") != 0) {
		g_autofree char *quoted = jsontext_quote(name);

		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "its \"" DEFAULT "\" is %s, which --default would put out of work",
			    quoted);
		return false;
	}
	take(text, jsontext_replace(*text, f->standard.value, "\"" WAY_RUNTIME "\""));
	return true;
}

/*
 * What dockerd runs without us: the program of the default runtime, and the JSON of its own words.
 */
static bool find_default(const char *text, const struct found *f, char **ret_program,
			 char **ret_words, GError **error)
{
	g_autofree char *name = f->has_standard ? jsontext_string(text, f->standard.value) : NULL;
	g_autofree char *program = NULL;
	struct json_member runtime = { 0 }, path, args;
	int n = 0;

	if (name && f->has_runtimes)
		n = member(text, f->runtimes.value, name, '{', &runtime, error);
	if (n == 1)
		n = member(text, runtime.value, "path", '"', &path, error);
	if (n == 1)
		program = jsontext_string(text, path.value);
	/* Ours before ours would find nobody to do the work. */
	if (program && *program && strcmp(program, RUNTIME_PROGRAM) != 0) {
		n = member(text, runtime.value, ARGS, '[', &args, error);
		if (n == 1)
			*ret_words = g_strstrip(g_strndup(text + args.value.begin + 1,
							  args.value.end - args.value.begin - 2));
		*ret_program = g_steal_pointer(&program);
	} else {
		*ret_program = g_strdup(g_strcmp0(name, "crun") == 0 ? name : USUAL);
	}
	return n >= 0;
}

/* Said to us in any case: who does the work does not change as another runtime is installed. */
static char *make_arguments(const char *text, const struct found *f, const struct way_options *o,
			    GError **error)
{
	g_autofree char *program = NULL, *words = NULL, *quoted = NULL, *point = NULL;
	GString *args;

	if (!find_default(text, f, &program, &words, error))
		return NULL;
	quoted = jsontext_quote(program);
	point = jsontext_quote(o->mountpoint);
	args = g_string_new(NULL);
	g_string_printf(args, "[\"--runtime\", %s", quoted);
	if (strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) != 0)
		g_string_append_printf(args, ", \"--mountpoint\", %s", point);
	if (words && *words)
		g_string_append_printf(args, ", %s", words);
	return g_string_free(g_string_append_c(args, ']'), FALSE);
}

char *docker_add(const char *base, const struct way_options *o, GError **error)
{
	static const char *const root[] = { NULL }, *const runtimes[] = { RUNTIMES, NULL },
				 *const runtime[] = { RUNTIMES, WAY_RUNTIME, NULL };
	g_autofree char *text = g_strdup(base && !is_blank(base) ? base : "{}\n");
	g_autofree char *args = NULL;
	struct found f;

	if (!way_can_name(o->mountpoint, error) || !look(text, &f, error))
		return NULL;
	args = make_arguments(text, &f, o, error);
	if (!args || (o->make_default && !f.is_default && !set_default(&text, &f, error)))
		return NULL;
	/* An operator's own stays as it is. */
	if (f.has_runtime)
		return g_steal_pointer(&text);
	if (!f.has_runtimes && !insert(&text, root, RUNTIMES, "{}", error))
		return NULL;
	if (!insert(&text, runtimes, WAY_RUNTIME, "{}", error) ||
	    !insert(&text, runtime, "path", "\"" RUNTIME_PROGRAM "\"", error) ||
	    !insert(&text, runtime, ARGS, args, error))
		return NULL;
	return g_steal_pointer(&text);
}

static char *copy(const char *text, struct json_span span)
{
	return g_strndup(text + span.begin, span.end - span.begin);
}

/*
 * Our runtime, or what is not an operator's in it; and the object that it was alone in, unless
 * there was one before us.
 */
static void strip_runtime(char **text, const struct found *f, const char *original,
			  const struct found *before)
{
	if (before->has_runtime) {
		g_autofree char *own = copy(original, before->runtime.value);

		take(text, jsontext_replace(*text, f->runtime.value, own));
		return;
	}
	take(text, jsontext_remove(*text, f->runtimes.value, &f->runtime));
	if (!before->has_runtimes) {
		struct found left;
		g_autoptr(GArray) members = NULL;

		if (!look(*text, &left, NULL))
			return;
		members = jsontext_members(*text, left.runtimes.value);
		if (members->len == 0)
			take(text, jsontext_remove(*text, left.root, &left.runtimes));
	}
}

/* The default that was there before us, or none. */
static void strip_default(char **text, const struct found *f, const char *original,
			  const struct found *before)
{
	g_autofree char *value = NULL;

	if (before->has_standard && !before->is_default) {
		value = copy(original, before->standard.value);
		take(text, jsontext_replace(*text, f->standard.value, value));
	} else {
		take(text, jsontext_remove(*text, f->root, &f->standard));
	}
}

char *docker_strip(const char *text, const char *original, GError **error)
{
	g_autofree char *left = g_strdup(text);
	struct found f, before = { 0 };

	if (is_blank(text))
		return g_steal_pointer(&left);
	if (!look(text, &f, error))
		return NULL;
	if (original && (is_blank(original) || !look(original, &before, NULL)))
		before = (struct found){ 0 };
	if (f.has_runtime)
		strip_runtime(&left, &f, original, &before);
	if (f.is_default && !(before.has_runtime && before.is_default)) {
		if (!look(left, &f, error))
			return NULL;
		strip_default(&left, &f, original, &before);
	}
	return g_steal_pointer(&left);
}
