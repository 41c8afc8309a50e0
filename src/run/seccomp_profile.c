/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A profile as docker and the OCI have it. */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <seccomp.h>
#include <string.h>
#include <sys/utsname.h>

#include "run/caps.h"
#include "run/json.h"
#include "run/seccomp.h"
#include "util/num.h"

struct version {
	uint64_t major, minor;
};

/* What a profile says, and the circumstances that decide what of it counts. */
struct profile {
	const char *source;
	uint64_t caps;
	struct version kernel;
	scmp_filter_ctx ctx;
};

G_GNUC_PRINTF(3, 4)
static bool fail(GError **error, const struct profile *p, const char *format, ...)
{
	g_autofree char *what = NULL;
	va_list ap;

	va_start(ap, format);
	what = g_strdup_vprintf(format, ap);
	va_end(ap);
	g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "seccomp profile %s: %s", p->source,
		    what);
	return false;
}

static const struct json_field root_fields[] = {
	{ .name = "defaultAction", .shape = JSON_TEXT },
	{ .name = "defaultErrnoRet", .shape = JSON_NUMBER },
	{ .name = "architectures", .shape = JSON_TEXTS },
	{ .name = "archMap", .shape = JSON_OBJECTS },
	{ .name = "syscalls", .shape = JSON_OBJECTS },
};
static const struct json_field map_fields[] = {
	{ .name = "architecture", .shape = JSON_TEXT },
	{ .name = "subArchitectures", .shape = JSON_TEXTS },
};
static const struct json_field rule_fields[] = {
	{ .name = "names", .shape = JSON_TEXTS },     { .name = "name", .shape = JSON_TEXT },
	{ .name = "action", .shape = JSON_TEXT },     { .name = "errnoRet", .shape = JSON_NUMBER },
	{ .name = "args", .shape = JSON_OBJECTS },    { .name = "includes", .shape = JSON_OBJECT },
	{ .name = "excludes", .shape = JSON_OBJECT },
};
static const struct json_field when_fields[] = {
	{ .name = "caps", .shape = JSON_TEXTS },
	{ .name = "arches", .shape = JSON_TEXTS },
	{ .name = "minKernel", .shape = JSON_TEXT },
};
static const struct json_field arg_fields[] = {
	{ .name = "index", .shape = JSON_NUMBER },
	{ .name = "value", .shape = JSON_NUMBER },
	{ .name = "valueTwo", .shape = JSON_NUMBER },
	{ .name = "op", .shape = JSON_TEXT },
};

static bool check(const struct profile *p, JsonObject *o, const struct json_field *fields, size_t n,
		  GError **error)
{
	const char *wrong = json_check(o, fields, n);

	return !wrong || fail(error, p, "%s has the wrong type", wrong);
}
#define CHECK(p, o, fields, error) check(p, o, fields, G_N_ELEMENTS(fields), error)

/* @errno_ret: what an ERRNO fails with, a tracer is told. */
static bool action_of(const char *name, uint32_t errno_ret, uint32_t *ret)
{
	const struct {
		const char *name;
		uint32_t action;
	} actions[] = {
		{ .name = "SCMP_ACT_ALLOW", .action = SCMP_ACT_ALLOW },
		{ .name = "SCMP_ACT_ERRNO", .action = SCMP_ACT_ERRNO(errno_ret) },
		{ .name = "SCMP_ACT_KILL", .action = SCMP_ACT_KILL_THREAD },
		{ .name = "SCMP_ACT_KILL_THREAD", .action = SCMP_ACT_KILL_THREAD },
		{ .name = "SCMP_ACT_KILL_PROCESS", .action = SCMP_ACT_KILL_PROCESS },
		{ .name = "SCMP_ACT_TRAP", .action = SCMP_ACT_TRAP },
		{ .name = "SCMP_ACT_LOG", .action = SCMP_ACT_LOG },
		{ .name = "SCMP_ACT_TRACE", .action = SCMP_ACT_TRACE(errno_ret) },
	};

	for (size_t i = 0; name && i < G_N_ELEMENTS(actions); i++)
		if (strcmp(actions[i].name, name) == 0)
			return *ret = actions[i].action, true;
	return false;
}

/* "SCMP_ARCH_X86_64": libseccomp's own names are those in small letters. */
static uint32_t arch_of(const char *name)
{
	g_autofree char *low = NULL;

	if (!name || !g_str_has_prefix(name, "SCMP_ARCH_"))
		return 0;
	low = g_ascii_strdown(name + strlen("SCMP_ARCH_"), -1);
	return seccomp_arch_resolve_name(low);
}

/* Go's name of the architecture that we are, as includes and excludes have it. */
static const char *go_arch(void)
{
	switch (seccomp_arch_native()) {
	case SCMP_ARCH_X86_64:
		return "amd64";
	case SCMP_ARCH_X86:
		return "x86";
	case SCMP_ARCH_AARCH64:
		return "arm64";
	case SCMP_ARCH_ARM:
		return "arm";
	case SCMP_ARCH_PPC64LE:
		return "ppc64le";
	case SCMP_ARCH_S390X:
		return "s390x";
	case SCMP_ARCH_RISCV64:
		return "riscv64";
	default:
		return "";
	}
}

static bool has_arch(JsonArray *arches)
{
	for (guint i = 0; i < json_length(arches); i++)
		if (g_strcmp0(json_array_get_string_element(arches, i), go_arch()) == 0)
			return true;
	return false;
}

static bool has_cap(const struct profile *p, const char *name)
{
	int number = name ? caps_number(name) : -1;

	return number >= 0 && (p->caps & CAPS_BIT((unsigned)number));
}

/* "4.8". */
static bool take_version(const char *text, struct version *ret)
{
	return num_take(&text, &ret->major) && *text++ == '.' && num_take(&text, &ret->minor);
}

static bool has_kernel(const struct profile *p, const char *text)
{
	struct version v = { 0 };

	return take_version(text, &v) &&
	       (p->kernel.major > v.major ||
		(p->kernel.major == v.major && p->kernel.minor >= v.minor));
}

static bool check_when(const struct profile *p, JsonObject *when, GError **error)
{
	const char *kernel;
	struct version v;

	if (!when)
		return true;
	if (!CHECK(p, when, when_fields, error))
		return false;
	kernel = json_text(when, "minKernel");
	return !kernel || take_version(kernel, &v) ||
	       fail(error, p, "minKernel \"%.64s\" is no version", kernel);
}

/* Every one of what @includes names is so. */
static bool is_included(const struct profile *p, JsonObject *includes)
{
	JsonArray *caps = json_array(includes, "caps"), *arches = json_array(includes, "arches");
	const char *kernel = json_text(includes, "minKernel");

	for (guint i = 0; i < json_length(caps); i++)
		if (!has_cap(p, json_array_get_string_element(caps, i)))
			return false;
	return (json_length(arches) == 0 || has_arch(arches)) && (!kernel || has_kernel(p, kernel));
}

/* Any of what @excludes names is so. */
static bool is_excluded(const struct profile *p, JsonObject *excludes)
{
	JsonArray *caps = json_array(excludes, "caps");
	const char *kernel = json_text(excludes, "minKernel");

	for (guint i = 0; i < json_length(caps); i++)
		if (has_cap(p, json_array_get_string_element(caps, i)))
			return true;
	return has_arch(json_array(excludes, "arches")) || (kernel && has_kernel(p, kernel));
}

static bool take_arg(JsonObject *o, struct scmp_arg_cmp *ret)
{
	static const struct {
		const char *name;
		enum scmp_compare op;
	} ops[] = {
		{ .name = "SCMP_CMP_NE", .op = SCMP_CMP_NE },
		{ .name = "SCMP_CMP_LT", .op = SCMP_CMP_LT },
		{ .name = "SCMP_CMP_LE", .op = SCMP_CMP_LE },
		{ .name = "SCMP_CMP_EQ", .op = SCMP_CMP_EQ },
		{ .name = "SCMP_CMP_GE", .op = SCMP_CMP_GE },
		{ .name = "SCMP_CMP_GT", .op = SCMP_CMP_GT },
		{ .name = "SCMP_CMP_MASKED_EQ", .op = SCMP_CMP_MASKED_EQ },
	};
	const char *op = json_text(o, "op");
	int64_t index = json_number(o, "index", -1);

	if (!op || index < 0 || index > 5)
		return false;
	for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
		if (strcmp(ops[i].name, op) == 0) {
			*ret = (struct scmp_arg_cmp){
				.arg = (unsigned)index,
				.op = ops[i].op,
				.datum_a = (scmp_datum_t)json_number(o, "value", 0),
				.datum_b = (scmp_datum_t)json_number(o, "valueTwo", 0),
			};
			return true;
		}
	return false;
}

/* What is done with a call when its arguments are so. */
struct rule {
	uint32_t action;
	unsigned n;
	struct scmp_arg_cmp args[6];
	bool alternatives; /* two are for one argument: then any of them will do, as in runc */
};

static bool add_rule(const struct profile *p, const char *name, const struct rule *rule,
		     GError **error)
{
	int number = seccomp_syscall_resolve_name(name), r = 0;
	unsigned each = rule->alternatives ? 1 : rule->n, i = 0;

	/* A call that this libseccomp does not know has the default, as it has in runc. */
	if (number == __NR_SCMP_ERROR)
		return true;
	do {
		r = seccomp_rule_add_array(p->ctx, rule->action, number, each, rule->args + i);
		i += each;
		/* Of an action that is the default anyway libseccomp wants no rule. */
		if (r < 0 && r != -EACCES && r != -EEXIST)
			return fail(error, p, "the rule for %s: %s", name, g_strerror(-r));
	} while (i < rule->n);
	return true;
}

static bool take_args(const struct profile *p, JsonArray *args, struct rule *ret, GError **error)
{
	unsigned seen = 0;

	ret->n = json_length(args);
	if (ret->n > G_N_ELEMENTS(ret->args))
		return fail(error, p, "a rule for %u arguments", ret->n);
	for (guint i = 0; i < ret->n; i++) {
		JsonObject *o = json_array_get_object_element(args, i);

		if (!CHECK(p, o, arg_fields, error))
			return false;
		if (!take_arg(o, &ret->args[i]))
			return fail(error, p, "argument %u of a rule is not understood", i);
		ret->alternatives = ret->alternatives || (seen & 1u << ret->args[i].arg);
		seen |= 1u << ret->args[i].arg;
	}
	return true;
}

/* The members that say it. */
struct action_words {
	const char *name, *err;
};

static bool take_action(const struct profile *p, JsonObject *o, struct action_words words,
			uint32_t *ret, GError **error)
{
	const char *name = json_text(o, words.name);
	int64_t err = json_number(o, words.err, EPERM);

	if (err < 0 || err > UINT16_MAX)
		return fail(error, p, "%s is no error number", words.err);
	return action_of(name, (uint32_t)err, ret) ||
	       fail(error, p, "%s: no action is called \"%.64s\"", words.name, name ? name : "");
}

static bool add_syscalls(const struct profile *p, JsonObject *o, GError **error)
{
	static const struct action_words words = { .name = "action", .err = "errnoRet" };
	JsonObject *includes, *excludes;
	struct rule rule = { 0 };
	JsonArray *names;
	const char *name;

	if (!CHECK(p, o, rule_fields, error))
		return false;
	includes = json_object(o, "includes");
	excludes = json_object(o, "excludes");
	if (!check_when(p, includes, error) || !check_when(p, excludes, error) ||
	    !take_action(p, o, words, &rule.action, error) ||
	    !take_args(p, json_array(o, "args"), &rule, error))
		return false;
	if ((includes && !is_included(p, includes)) || (excludes && is_excluded(p, excludes)))
		return true;
	names = json_array(o, "names");
	for (guint i = 0; i < json_length(names); i++)
		if (!add_rule(p, json_array_get_string_element(names, i), &rule, error))
			return false;
	name = json_text(o, "name");
	return !name || add_rule(p, name, &rule, error);
}

static bool add_arch(const struct profile *p, const char *name, GError **error)
{
	uint32_t arch = arch_of(name);
	int r = arch ? seccomp_arch_add(p->ctx, arch) : -EINVAL;

	return r == 0 || r == -EEXIST ||
	       fail(error, p, "architecture \"%.64s\": %s", name ? name : "", g_strerror(-r));
}

/* OCI's list of architectures, or of docker's map the row that is ours. */
static bool add_archs(const struct profile *p, JsonObject *root, GError **error)
{
	JsonArray *list = json_array(root, "architectures"), *map = json_array(root, "archMap");

	for (guint i = 0; i < json_length(list); i++)
		if (!add_arch(p, json_array_get_string_element(list, i), error))
			return false;
	for (guint i = 0; i < json_length(map); i++) {
		JsonObject *row = json_array_get_object_element(map, i);
		JsonArray *subs;

		if (!CHECK(p, row, map_fields, error))
			return false;
		if (arch_of(json_text(row, "architecture")) != seccomp_arch_native())
			continue;
		subs = json_array(row, "subArchitectures");
		for (guint k = 0; k < json_length(subs); k++)
			if (!add_arch(p, json_array_get_string_element(subs, k), error))
				return false;
	}
	return true;
}

static bool read_profile(struct profile *p, JsonObject *root, struct seccomp_filter *ret,
			 GError **error)
{
	static const struct action_words words = { .name = "defaultAction",
						   .err = "defaultErrnoRet" };
	JsonArray *syscalls;
	uint32_t action = 0;
	bool ok;

	if (!CHECK(p, root, root_fields, error) || !take_action(p, root, words, &action, error))
		return false;
	p->ctx = seccomp_init(action);
	if (!p->ctx)
		return fail(error, p, "libseccomp does not take its defaultAction");
	ok = add_archs(p, root, error);
	syscalls = json_array(root, "syscalls");
	for (guint i = 0; ok && i < json_length(syscalls); i++)
		ok = add_syscalls(p, json_array_get_object_element(syscalls, i), error);
	ok = ok && seccomp_filter_export(p->ctx, p->source, ret, error);
	seccomp_release(p->ctx);
	return ok;
}

bool seccomp_filter_profile(const char *json, const char *source, uint64_t caps,
			    struct seccomp_filter *ret, GError **error)
{
	g_autoptr(JsonParser) parser = json_parser_new();
	struct profile p = { .source = source, .caps = caps };
	struct utsname uts;
	JsonNode *root;

	if (uname(&uts) == 0)
		(void)take_version(uts.release, &p.kernel);
	if (!json_parser_load_from_data(parser, json, -1, error)) {
		g_prefix_error(error, "seccomp profile %s: ", source);
		return false;
	}
	root = json_parser_get_root(parser);
	if (!root || json_node_get_node_type(root) != JSON_NODE_OBJECT)
		return fail(error, &p, "not a JSON object");
	return read_profile(&p, json_node_get_object(root), ret, error);
}
