/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * containerd's config.toml, which is the operator's: a block of ours at its end. Not a file of our
 * own that it imports: containerd takes a plugin's settings from the last file that has any, and
 * drops those of the others.
 */
#include <string.h>

#include "bind/instance.h"
#include "install/ways.h"

#define MARK  "# lxcfs-clone: "
#define BEGIN MARK "begin. `lxcfs-clonectl uninstall containerd` takes it away.\n"
#define END   MARK "end\n"

/* By the file's version, which stands in its first part. */
static const struct dialect {
	const char *version, *cri;
} dialects[] = {
	{ .version = "2", .cri = "io.containerd.grpc.v1.cri" },
	{ .version = "3", .cri = "io.containerd.cri.v1.runtime" },
};

static bool refuse(GError **error, const char *sentence)
{
	g_set_error_literal(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, sentence);
	return false;
}

/* The value of line "key = value", comment taken off; NULL: it is another line. Owned. */
static char *value_of(const char *line, const char *key)
{
	size_t len = strlen(key);
	char *value;

	line += strspn(line, " \t");
	if (strncmp(line, key, len) != 0)
		return NULL;
	line += len;
	line += strspn(line, " \t");
	if (*line != '=')
		return NULL;
	value = g_strdup(line + 1);
	if (strchr(value, '#'))
		*strchr(value, '#') = '\0';
	return g_strstrip(value);
}

/* The name of a table's line, "[a.b]", quotes taken off; NULL: it is another line. Owned. */
static char *table_of(const char *line)
{
	GString *name;

	line += strspn(line, " \t");
	if (*line != '[' || line[1] == '[')
		return NULL;
	name = g_string_new(NULL);
	for (line++; *line && *line != ']'; line++)
		if (!strchr("\"' \t", *line))
			g_string_append_c(name, *line);
	return g_string_free(name, FALSE);
}

/* What we must know of a text. */
struct found {
	const struct dialect *dialect;
	bool ours, systemd, runtimes;
	bool odd;       /* a table above ours has the form of a key: none can be beside it */
	char *disabled; /* plugins, as they stand there; owned */
};

static const struct dialect *dialect_of(const char *version)
{
	for (size_t i = 0; version && i < G_N_ELEMENTS(dialects); i++)
		if (strcmp(dialects[i].version, version) == 0)
			return &dialects[i];
	return NULL;
}

/* A line of the part before the first table. */
static void look_at_top(const char *line, struct found *f)
{
	g_autofree char *version = value_of(line, "version");
	g_autofree char *disabled = value_of(line, "disabled_plugins");

	if (version)
		f->dialect = dialect_of(version);
	if (disabled) {
		g_free(f->disabled);
		f->disabled = g_steal_pointer(&disabled);
	}
}

/* "runtimes = {…}", "runtimes.runc.x = 1", of which our table would be a part. */
static bool is_odd(const char *line, const char *table)
{
	static const char *const parts[] = { "plugins", "containerd", "runtimes" };
	bool above = !*table || strcmp(table, "plugins") == 0 || g_str_has_suffix(table, ".cri") ||
		     g_str_has_suffix(table, ".cri.v1.runtime") ||
		     g_str_has_suffix(table, ".containerd");

	line += strspn(line, " \t\"'");
	for (size_t i = 0; above && i < G_N_ELEMENTS(parts); i++) {
		const char *rest = line + strlen(parts[i]);

		if (g_str_has_prefix(line, parts[i]) &&
		    (*rest == '.' || rest[strspn(rest, " \t\"'")] == '='))
			return true;
	}
	for (size_t i = 0; above && i < G_N_ELEMENTS(dialects); i++)
		if (g_str_has_prefix(line, dialects[i].cri))
			return true;
	return false;
}

static void look_at_table(const char *line, const char *table, struct found *f)
{
	g_autofree char *systemd = value_of(line, "SystemdCgroup");

	if (systemd && g_str_has_suffix(table, ".containerd.runtimes.runc.options"))
		f->systemd = strcmp(systemd, "true") == 0;
	if (strstr(table, ".containerd.runtimes."))
		f->runtimes = true;
	if (strstr(table, ".containerd.runtimes." WAY_RUNTIME))
		f->ours = true;
}

static void look(const char *text, struct found *f)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	g_autofree char *table = NULL;

	*f = (struct found){ 0 };
	for (char **l = lines; *l; l++) {
		char *name = table_of(*l);

		if (name) {
			g_free(table);
			table = name;
		}
		if (is_odd(*l, table ? table : ""))
			f->odd = true;
		if (table)
			look_at_table(*l, table, f);
		else
			look_at_top(*l, f);
	}
}

/* What a reader of lines does not understand. */
static bool is_plain(const char *text, GError **error)
{
	if (strstr(text, MARK))
		return refuse(error, "it has a line of ours without the others");
	if (!g_utf8_validate(text, -1, NULL))
		return refuse(error, "it is not UTF-8");
	if (strstr(text, "\"\"\"") || strstr(text, "'''"))
		return refuse(error, "it has strings of several lines");
	return true;
}

/* Where runtimes are named containerd forgets the one that it has by itself. */
static char *block(const struct found *f)
{
	const char *cri = f->dialect->cri;
	g_autofree char *runc =
		f->runtimes ? g_strdup("")
			    : g_strdup_printf("[plugins.\"%s\".containerd.runtimes.runc]\n"
					      "  runtime_type = \"io.containerd.runc.v2\"\n",
					      cri);

	return g_strdup_printf(BEGIN "%s[plugins.\"%s\".containerd.runtimes." WAY_RUNTIME "]\n"
				     "  runtime_type = \"io.containerd.runc.v2\"\n"
				     "  [plugins.\"%s\".containerd.runtimes." WAY_RUNTIME
				     ".options]\n"
				     "    BinaryName = \"" RUNTIME_PROGRAM "\"\n%s" END,
			       runc, cri, cri, f->systemd ? "    SystemdCgroup = true\n" : "");
}

char *containerd_part(const char *text)
{
	const char *begin = strstr(text, BEGIN);
	const char *end = begin ? strstr(begin, END) : NULL;

	return end ? g_strndup(begin, (gsize)(end - begin)) : NULL;
}

char *containerd_add(const char *base, const struct way_options *o, GError **error)
{
	g_autofree char *text = g_strdup(base ? base : "version = 2\n");
	g_autofree char *ours = containerd_part(text);
	struct found f;

	if (strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) != 0)
		refuse(error, "containerd gives a runtime no arguments: it takes what is served "
			      "at " DEFAULT_MOUNTPOINT);
	if (strcmp(o->mountpoint, DEFAULT_MOUNTPOINT) != 0)
		return NULL;
	/* An operator's own stays as it is. */
	if (ours)
		return g_steal_pointer(&text);
	if (!is_plain(text, error))
		return NULL;
	look(text, &f);
	g_free(f.disabled);
	if (!f.dialect)
		refuse(error, "it does not begin with \"version = 2\" (or 3)");
	else if (f.ours)
		refuse(error, "it has a runtime \"" WAY_RUNTIME "\" that is not ours");
	else if (f.odd)
		refuse(error, "it has plugins' settings in the form of keys, not of tables");
	if (!f.dialect || f.ours || f.odd)
		return NULL;
	ours = block(&f);
	return g_strconcat(text, *text && !g_str_has_suffix(text, "\n") ? "\n" : "", ours, NULL);
}

char *containerd_strip(const char *text, const char *original, GError **error)
{
	const char *begin = strstr(text, BEGIN);
	const char *end = begin ? strstr(begin, END) : NULL;

	(void)original;
	if (!begin)
		return g_strdup(text);
	if (!end || strstr(begin + strlen(BEGIN), BEGIN) || (begin > text && begin[-1] != '\n')) {
		refuse(error, "the lines that begin and end our part of it are in disorder");
		return NULL;
	}
	end += strlen(END);
	return g_strdup_printf("%.*s%s", (int)(begin - text), text, end);
}

const char *containerd_idle(const char *text)
{
	struct found f;
	bool off;

	look(text, &f);
	off = f.disabled && (strstr(f.disabled, "\"cri\"") || strstr(f.disabled, ".cri\"") ||
			     strstr(f.disabled, "'cri'"));
	g_free(f.disabled);
	return off ? "its CRI plugin is off (disabled_plugins)" : NULL;
}
