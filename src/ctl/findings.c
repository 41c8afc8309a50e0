/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ctl/findings.h"

#include <json-glib/json-glib.h>
#include <stdarg.h>
#include <stdio.h>

struct finding {
	enum finding_state state;
	const char *about;
	char *says, *remedy;
};

static const char *const words[FINDING_N_STATES] = {
	[FINDING_OK] = "ok",
	[FINDING_WARN] = "warn",
	[FINDING_FAIL] = "fail",
};

static void finding_free(void *data)
{
	struct finding *finding = data;

	g_free(finding->says);
	g_free(finding->remedy);
	g_free(finding);
}

void findings_init(struct findings *f)
{
	*f = (struct findings){ .list = g_ptr_array_new_with_free_func(finding_free) };
}

void findings_clear(struct findings *f)
{
	g_ptr_array_unref(f->list);
}

void findings_add(struct findings *f, enum finding_state state, const char *about,
		  const char *remedy, const char *format, ...)
{
	struct finding *finding = g_new0(struct finding, 1);
	g_autofree char *says = NULL;
	va_list ap;

	va_start(ap, format);
	says = g_strdup_vprintf(format, ap);
	va_end(ap);
	*finding = (struct finding){ .state = state, .about = about };
	finding->says = g_utf8_make_valid(says, -1);
	finding->remedy = remedy ? g_utf8_make_valid(remedy, -1) : NULL;
	g_ptr_array_add(f->list, finding);
	f->counts[state]++;
}

static void print_text(const struct findings *f)
{
	for (guint i = 0; i < f->list->len; i++) {
		const struct finding *finding = f->list->pdata[i];

		printf("%-5s %-11s %s\n", words[finding->state], finding->about, finding->says);
		if (finding->remedy)
			printf("%-17s -> %s\n", "", finding->remedy);
	}
	printf("%u ok, %u to be looked at, %u wrong\n", f->counts[FINDING_OK],
	       f->counts[FINDING_WARN], f->counts[FINDING_FAIL]);
}

static void add_text(JsonBuilder *b, const char *name, const char *value)
{
	json_builder_set_member_name(b, name);
	if (value)
		json_builder_add_string_value(b, value);
	else
		json_builder_add_null_value(b);
}

static void print_json(const struct findings *f, const char *mountpoint)
{
	g_autoptr(JsonBuilder) b = json_builder_new();
	g_autofree char *point = g_utf8_make_valid(mountpoint, -1);
	g_autoptr(JsonNode) root = NULL;
	g_autofree char *text = NULL;

	json_builder_begin_object(b);
	add_text(b, "mountpoint", point);
	for (int state = 0; state < FINDING_N_STATES; state++) {
		json_builder_set_member_name(b, words[state]);
		json_builder_add_int_value(b, f->counts[state]);
	}
	json_builder_set_member_name(b, "checks");
	json_builder_begin_array(b);
	for (guint i = 0; i < f->list->len; i++) {
		const struct finding *finding = f->list->pdata[i];

		json_builder_begin_object(b);
		add_text(b, "about", finding->about);
		add_text(b, "state", words[finding->state]);
		add_text(b, "says", finding->says);
		add_text(b, "remedy", finding->remedy);
		json_builder_end_object(b);
	}
	json_builder_end_array(b);
	json_builder_end_object(b);
	root = json_builder_get_root(b);
	text = json_to_string(root, TRUE);
	puts(text);
}

void findings_print(const struct findings *f, const char *mountpoint, bool json)
{
	if (json)
		print_json(f, mountpoint);
	else
		print_text(f);
}
