/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/devices.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/fd.h"

/* Nodes may be made of any device, as docker has it: without the right to open them. */
static const struct device_rule usual[] = {
	{ .type = S_IFCHR, .major = DEVICE_ANY, .minor = DEVICE_ANY, .access = SPEC_DEVICE_MKNOD },
	{ .type = S_IFBLK, .major = DEVICE_ANY, .minor = DEVICE_ANY, .access = SPEC_DEVICE_MKNOD },
	{ .type = S_IFCHR, .major = 1, .minor = 3, .access = SPEC_DEVICE_ALL }, /* null */
	{ .type = S_IFCHR, .major = 1, .minor = 5, .access = SPEC_DEVICE_ALL }, /* zero */
	{ .type = S_IFCHR, .major = 1, .minor = 7, .access = SPEC_DEVICE_ALL }, /* full */
	{ .type = S_IFCHR, .major = 1, .minor = 8, .access = SPEC_DEVICE_ALL }, /* random */
	{ .type = S_IFCHR, .major = 1, .minor = 9, .access = SPEC_DEVICE_ALL }, /* urandom */
	{ .type = S_IFCHR, .major = 5, .minor = 0, .access = SPEC_DEVICE_ALL }, /* tty */
	{ .type = S_IFCHR, .major = 5, .minor = 1, .access = SPEC_DEVICE_ALL }, /* console */
	{ .type = S_IFCHR, .major = 5, .minor = 2, .access = SPEC_DEVICE_ALL }, /* ptmx */
	{ .type = S_IFCHR, .major = 136, .minor = DEVICE_ANY, .access = SPEC_DEVICE_ALL }, /* pts */
};

GArray *devices_rules(const GArray *devices)
{
	GArray *rules = g_array_new(FALSE, FALSE, sizeof(struct device_rule));

	g_array_append_vals(rules, usual, G_N_ELEMENTS(usual));
	for (guint i = 0; devices && i < devices->len; i++) {
		const struct spec_device *d = &g_array_index(devices, struct spec_device, i);
		struct device_rule rule = { .type = d->mode & S_IFMT,
					    .major = d->major,
					    .minor = d->minor,
					    .access = d->access };

		g_array_append_val(rules, rule);
	}
	return rules;
}

static void append_number(GString *out, unsigned number)
{
	if (number == DEVICE_ANY)
		g_string_append_c(out, '*');
	else
		g_string_append_printf(out, "%u", number);
}

char *devices_rule_text(const struct device_rule *rule)
{
	GString *out = g_string_new(rule->type == S_IFBLK ? "b " : "c ");

	append_number(out, rule->major);
	g_string_append_c(out, ':');
	append_number(out, rule->minor);
	g_string_append_c(out, ' ');
	for (unsigned i = 0; i < 3; i++)
		if (rule->access & (1u << i))
			g_string_append_c(out, "rwm"[i]);
	return g_string_free(out, FALSE);
}

/* What the program keeps where. */
enum { REG_RESULT, REG_CONTEXT, REG_TYPE, REG_ACCESS, REG_MAJOR, REG_MINOR, REG_SCRATCH };

static void emit(GArray *code, unsigned op, unsigned dst, unsigned src, unsigned off, int32_t imm)
{
	struct bpf_insn insn = { .code = (uint8_t)op,
				 .dst_reg = (uint8_t)(dst & 0xf),
				 .src_reg = (uint8_t)(src & 0xf),
				 .off = (int16_t)off,
				 .imm = imm };

	g_array_append_val(code, insn);
}

static void emit_load(GArray *code, unsigned dst, size_t offset)
{
	emit(code, BPF_LDX | BPF_MEM | BPF_W, dst, REG_CONTEXT, (unsigned)offset, 0);
}

static void emit_return(GArray *code, int32_t value)
{
	emit(code, BPF_ALU64 | BPF_MOV | BPF_K, REG_RESULT, 0, 0, value);
	emit(code, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* The kernel's numbers of the three kinds of access. */
static int32_t bpf_access(unsigned access)
{
	return (access & SPEC_DEVICE_READ ? BPF_DEVCG_ACC_READ : 0) |
	       (access & SPEC_DEVICE_WRITE ? BPF_DEVCG_ACC_WRITE : 0) |
	       (access & SPEC_DEVICE_MKNOD ? BPF_DEVCG_ACC_MKNOD : 0);
}

/* Returns 1 if the rule has all that is wanted of the device, else goes on behind itself. */
static void emit_rule(GArray *code, const struct device_rule *rule)
{
	int32_t type = rule->type == S_IFBLK ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	guint from = code->len;

	emit(code, BPF_JMP | BPF_JNE | BPF_K, REG_TYPE, 0, 0, type);
	if (rule->access != SPEC_DEVICE_ALL) {
		emit(code, BPF_ALU64 | BPF_MOV | BPF_X, REG_SCRATCH, REG_ACCESS, 0, 0);
		emit(code, BPF_ALU64 | BPF_AND | BPF_K, REG_SCRATCH, 0, 0,
		     bpf_access(SPEC_DEVICE_ALL & ~rule->access));
		emit(code, BPF_JMP | BPF_JNE | BPF_K, REG_SCRATCH, 0, 0, 0);
	}
	if (rule->major != DEVICE_ANY)
		emit(code, BPF_JMP | BPF_JNE | BPF_K, REG_MAJOR, 0, 0, (int32_t)rule->major);
	if (rule->minor != DEVICE_ANY)
		emit(code, BPF_JMP | BPF_JNE | BPF_K, REG_MINOR, 0, 0, (int32_t)rule->minor);
	emit_return(code, 1);
	for (guint i = from; i < code->len; i++) {
		struct bpf_insn *insn = &g_array_index(code, struct bpf_insn, i);

		if (insn->code == (BPF_JMP | BPF_JNE | BPF_K))
			insn->off = (int16_t)(code->len - i - 1);
	}
}

GArray *devices_program(const GArray *rules)
{
	GArray *code = g_array_new(FALSE, FALSE, sizeof(struct bpf_insn));

	/* .access_type: what is wanted in the upper half, the type in the lower one */
	emit_load(code, REG_TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(code, BPF_ALU64 | BPF_MOV | BPF_X, REG_ACCESS, REG_TYPE, 0, 0);
	emit(code, BPF_ALU64 | BPF_AND | BPF_K, REG_TYPE, 0, 0, 0xffff);
	emit(code, BPF_ALU64 | BPF_RSH | BPF_K, REG_ACCESS, 0, 0, 16);
	emit_load(code, REG_MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	emit_load(code, REG_MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	for (guint i = 0; i < rules->len; i++)
		emit_rule(code, &g_array_index(rules, struct device_rule, i));
	emit_return(code, 0);
	return code;
}

static int limit_v1(const struct cg_group *group, const GArray *rules)
{
	g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);

	for (guint i = 0; i < rules->len; i++)
		g_ptr_array_add(texts,
				devices_rule_text(&g_array_index(rules, struct device_rule, i)));
	return cg_group_allow_devices(group, texts);
}

static int bpf(int command, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

static int load_program(const GArray *code)
{
	static const char license[] = "LGPL-2.1-or-later";
	union bpf_attr attr;

	/* Whole: the kernel wants 0 in what the command doesn't use. */
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = code->len;
	attr.insns = (uint64_t)(uintptr_t)code->data;
	attr.license = (uint64_t)(uintptr_t)license;
	return bpf(BPF_PROG_LOAD, &attr);
}

/* The program lives as long as the cgroup. What a cgroup above has in force stays so. */
static int limit_v2(const struct cg_group *group, const GArray *rules)
{
	g_autoptr(GArray) code = devices_program(rules);
	AUTO_FD int program = load_program(code);
	union bpf_attr attr;

	if (program < 0)
		return program;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cg_group_dir(group, CG_DEVICES);
	attr.attach_bpf_fd = (uint32_t)program;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf(BPF_PROG_ATTACH, &attr);
}

bool devices_limit(const struct cg_group *group, const GArray *rules, GError **error)
{
	static int (*const limit[CG_N_VERSIONS])(const struct cg_group *, const GArray *) = {
		[CG_V1] = limit_v1, [CG_V2] = limit_v2
	};
	enum cg_version version = cg_group_version(group, CG_DEVICES);
	int r = version == CG_N_VERSIONS ? -ENOENT : limit[version](group, rules);

	if (r == 0)
		return true;
	g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(-r),
		    "cannot limit the devices of container %s (%s): %s", group->name,
		    version == CG_V2 ? "a BPF program of its v2 cgroup" : "controller devices",
		    g_strerror(-r));
	return false;
}
