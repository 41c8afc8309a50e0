/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/devices.h"

#include "fixture.h"

static void test_rule_texts(void **state)
{
	static const struct {
		struct device_rule rule;
		const char *want;
	} cases[] = {
		{ .rule = { .type = S_IFCHR, .major = 1, .minor = 3, .access = SPEC_DEVICE_ALL },
		  .want = "c 1:3 rwm" },
		{ .rule = { .type = S_IFBLK,
			    .major = DEVICE_ANY,
			    .minor = DEVICE_ANY,
			    .access = SPEC_DEVICE_MKNOD },
		  .want = "b *:* m" },
		{ .rule = { .type = S_IFBLK,
			    .major = 253,
			    .minor = DEVICE_ANY,
			    .access = SPEC_DEVICE_READ | SPEC_DEVICE_WRITE },
		  .want = "b 253:* rw" },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
		g_autofree char *text = devices_rule_text(&cases[i].rule);

		assert_string_equal(text, cases[i].want);
	}
}

/* The kernel's part, for the instructions that the program is made of. */
static uint64_t run(const GArray *code, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t reg[11] = { 0 };
	const uint32_t *words = (const uint32_t *)ctx;

	for (guint pc = 0; pc < code->len; pc++) {
		const struct bpf_insn *i = &g_array_index(code, struct bpf_insn, pc);

		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W:
			assert_int_equal(i->src_reg, 1);
			reg[i->dst_reg] = words[i->off / 4];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			reg[i->dst_reg] = reg[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			reg[i->dst_reg] = (uint64_t)i->imm;
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			reg[i->dst_reg] &= (uint64_t)i->imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			reg[i->dst_reg] >>= i->imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			if (reg[i->dst_reg] != (uint64_t)i->imm)
				pc += (guint)i->off;
			break;
		case BPF_JMP | BPF_EXIT:
			return reg[0];
		default:
			fail_msg("instruction %u has code %#x", pc, i->code);
		}
	}
	fail_msg("the program has no end");
	return 0;
}

static bool allows(const GArray *rules, mode_t type, unsigned major, unsigned minor,
		   unsigned access)
{
	g_autoptr(GArray) code = devices_program(rules);
	struct bpf_cgroup_dev_ctx ctx = { .access_type = (access << 16) |
							 (type == S_IFBLK ? BPF_DEVCG_DEV_BLOCK
									  : BPF_DEVCG_DEV_CHAR),
					  .major = major,
					  .minor = minor };

	return run(code, &ctx) == 1;
}

static void test_program_allows_the_usual_devices_alone(void **state)
{
	g_autoptr(GArray) rules = devices_rules(NULL);

	(void)state;
	assert_true(allows(rules, S_IFCHR, 1, 3, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
	assert_true(allows(rules, S_IFCHR, 136, 77, BPF_DEVCG_ACC_READ));
	assert_false(allows(rules, S_IFBLK, 1, 3, BPF_DEVCG_ACC_READ));
	assert_false(allows(rules, S_IFCHR, 1, 1, BPF_DEVCG_ACC_READ));     /* mem */
	assert_false(allows(rules, S_IFCHR, 10, 229, BPF_DEVCG_ACC_WRITE)); /* fuse */
	assert_false(allows(rules, S_IFBLK, 8, 0, BPF_DEVCG_ACC_READ));
	/* to make a node is not to open it */
	assert_true(allows(rules, S_IFBLK, 8, 0, BPF_DEVCG_ACC_MKNOD));
	assert_false(allows(rules, S_IFBLK, 8, 0, BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ));
}

static void test_program_allows_what_was_asked_for_and_no_more(void **state)
{
	struct spec_device fuse = { .mode = S_IFCHR, .major = 10, .minor = 229, .access = 7 };
	struct spec_device disk = {
		.mode = S_IFBLK, .major = 8, .minor = 0, .access = SPEC_DEVICE_READ
	};
	g_autoptr(GArray) devices = g_array_new(FALSE, FALSE, sizeof(struct spec_device));
	g_autoptr(GArray) rules = NULL;

	(void)state;
	g_array_append_val(devices, fuse);
	g_array_append_val(devices, disk);
	rules = devices_rules(devices);
	assert_true(allows(rules, S_IFCHR, 10, 229, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
	assert_false(allows(rules, S_IFCHR, 10, 228, BPF_DEVCG_ACC_READ));
	assert_true(allows(rules, S_IFBLK, 8, 0, BPF_DEVCG_ACC_READ));
	assert_false(allows(rules, S_IFBLK, 8, 0, BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE));
	assert_false(allows(rules, S_IFBLK, 8, 1, BPF_DEVCG_ACC_READ));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rule_texts),
		cmocka_unit_test(test_program_allows_the_usual_devices_alone),
		cmocka_unit_test(test_program_allows_what_was_asked_for_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
