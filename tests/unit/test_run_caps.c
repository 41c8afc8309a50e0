/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/caps.h"

#include <linux/capability.h>

#include "fixture.h"

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static uint64_t choose(const char *const *add, const char *const *drop)
{
	g_autoptr(GError) error = NULL;
	uint64_t caps = 0;

	if (!caps_choose(add, drop, CAPS_BIT(41) - 1, &caps, &error))
		fail_msg("%s", error->message);
	return caps;
}

static void test_default_set(void **state)
{
	(void)state;
	assert_true(choose(NULL, NULL) == 0xa80425fb);
}

static void test_names_in_any_spelling(void **state)
{
	(void)state;
	assert_int_equal(caps_number("CAP_NET_ADMIN"), CAP_NET_ADMIN);
	assert_int_equal(caps_number("net_admin"), CAP_NET_ADMIN);
	assert_int_equal(caps_number("Cap_Chown"), 0);
	assert_int_equal(caps_number("CAP_"), -1);
	assert_int_equal(caps_number(""), -1);
	assert_int_equal(caps_number("NET"), -1);
	assert_string_equal(caps_name(40), "CAP_CHECKPOINT_RESTORE");
	assert_null(caps_name(64));
}

static void test_add_and_drop(void **state)
{
	(void)state;
	assert_true(choose(LIST("SYS_ADMIN"), LIST("CHOWN")) ==
		    ((caps_default() | CAPS_BIT(CAP_SYS_ADMIN)) & ~CAPS_BIT(CAP_CHOWN)));
	/* in both: it is added last, as docker has it */
	assert_true(choose(LIST("CHOWN"), LIST("CHOWN")) == caps_default());
}

static void test_all_is_the_rule_and_the_other_list_the_exceptions(void **state)
{
	(void)state;
	assert_true(choose(NULL, LIST("ALL")) == 0);
	assert_true(choose(LIST("net_raw"), LIST("all")) == CAPS_BIT(CAP_NET_RAW));
	assert_true(choose(LIST("ALL"), LIST("SYS_ADMIN")) ==
		    ((CAPS_BIT(41) - 1) & ~CAPS_BIT(CAP_SYS_ADMIN)));
}

static void test_what_is_not_to_be_had(void **state)
{
	uint64_t available = caps_default() & ~CAPS_BIT(CAP_MKNOD), caps = 0;
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_true(caps_choose(NULL, NULL, available, &caps, &error));
	assert_true(caps == available);
	assert_true(caps_choose(LIST("ALL"), NULL, available, &caps, &error));
	assert_true(caps == available);
	assert_false(caps_choose(LIST("MKNOD"), NULL, available, &caps, &error));
	assert_non_null(strstr(error->message, "CAP_MKNOD"));
}

static void test_unknown_name_is_told(void **state)
{
	uint64_t caps = 7;
	g_autoptr(GError) error = NULL;

	(void)state;
	assert_false(caps_choose(NULL, LIST("CAP_FLY"), UINT64_MAX, &caps, &error));
	assert_non_null(strstr(error->message, "\"CAP_FLY\""));
	assert_true(caps == 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_set),
		cmocka_unit_test(test_names_in_any_spelling),
		cmocka_unit_test(test_add_and_drop),
		cmocka_unit_test(test_all_is_the_rule_and_the_other_list_the_exceptions),
		cmocka_unit_test(test_what_is_not_to_be_had),
		cmocka_unit_test(test_unknown_name_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
