/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dockerd's daemon.json, which is the operator's: two keys of it are ours. */
#include <string.h>

#include "bind/instance.h"
#include "install/ways.h"
#include "util/jsontext.h"

#define RUNTIMES "runtimes"
#define DEFAULT  "default-runtime"

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

	if (n > 1) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "it has \"%s\" twice", key);
		return -1;
	}
	if (n == 1 && text[ret->value.begin] != first) {
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "\"%s\" is %s there", key,
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
		g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
			    "its \"" DEFAULT "\" is \"%s\", which --default would put out of work",
			    name);
		return false;
	}
	take(text, jsontext_replace(*text, f->standard.value, "\"" WAY_RUNTIME "\""));
	return true;
}

static bool insert_arguments(char **text, const char *const *runtime, const struct way_options *o,
			     GError **error)
{
	g_autofree char *point = jsontext_quote(o->mountpoint);
	g_autofree char *args = g_strdup_printf("[\"--mountpoint\", %s]", point);

	return strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) == 0 ||
	       insert(text, runtime, "runtimeArgs", args, error);
}

char *docker_add(const char *base, const struct way_options *o, GError **error)
{
	static const char *const root[] = { NULL }, *const runtimes[] = { RUNTIMES, NULL },
				 *const runtime[] = { RUNTIMES, WAY_RUNTIME, NULL };
	g_autofree char *text = g_strdup(base && !is_blank(base) ? base : "{}\n");
	struct found f;

	if (!way_can_name(o->mountpoint, error) || !look(text, &f, error))
		return NULL;
	if (o->make_default && !set_default(&text, &f, error))
		return NULL;
	if (!f.has_runtimes && !insert(&text, root, RUNTIMES, "{}", error))
		return NULL;
	if (!insert(&text, runtimes, WAY_RUNTIME, "{}", error) ||
	    !insert(&text, runtime, "path", "\"" RUNTIME_PROGRAM "\"", error) ||
	    !insert_arguments(&text, runtime, o, error))
		return NULL;
	return g_steal_pointer(&text);
}

/* Our runtime; and the object that it was alone in, unless there was one before us. */
static void strip_runtime(char **text, const struct found *f, bool keep)
{
	take(text, jsontext_remove(*text, f->runtimes.value, &f->runtime));
	if (!keep) {
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
		size_t len = before->standard.value.end - before->standard.value.begin;

		value = g_strndup(original + before->standard.value.begin, len);
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
		strip_runtime(&left, &f, before.has_runtimes);
	if (f.is_default) {
		if (!look(left, &f, error))
			return NULL;
		strip_default(&left, &f, original, &before);
	}
	return g_steal_pointer(&left);
}
