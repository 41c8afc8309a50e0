/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/backlog.h"

#include "fixture.h"

#include <linux/fuse.h>

#include "daemon/handshake.h"

#define N_SLOTS 4

struct host_memory {
	struct backlog backlog;
	struct journal_slot slots[N_SLOTS];
	uint32_t stuck;    /* what the keeper saw hang */
	GString *given_up; /* "UNIQUE/DEATHS " for each */
};

static struct host_memory *memory_new(void)
{
	struct host_memory *m = g_malloc0(sizeof(*m));

	m->given_up = g_string_new("");
	return m;
}

static void memory_free(struct host_memory *m)
{
	g_string_free(m->given_up, TRUE);
	g_free(m);
}

static uint64_t unique_of(const char *request)
{
	struct request_head head;

	handshake_head(request, &head);
	return head.unique;
}

static void note(const char *request, uint32_t deaths, void *arg)
{
	g_string_append_printf(arg, "%u/%u ", (unsigned)unique_of(request), deaths);
}

/* A thread takes the request @unique in hand. */
static void in_hand(struct host_memory *m, unsigned thread, uint64_t unique, uint32_t opcode)
{
	const struct fuse_in_header in = { .len = 80, .opcode = opcode, .unique = unique };

	memcpy(m->slots[thread].request, &in, sizeof(in));
}

/* The worker is dead and another one comes. */
static void next_worker(struct host_memory *m)
{
	backlog_collect(&m->backlog, m->slots, N_SLOTS, m->stuck, note, m->given_up);
	m->stuck = 0;
	for (unsigned i = 0; i < N_SLOTS; i++) {
		struct request_head head;

		handshake_head(m->slots[i].request, &head);
		assert_int_equal(head.len, 0);
	}
}

/* Those for alone first, as the worker does it. */
static struct leftover *try_next(struct host_memory *m)
{
	struct leftover *l = backlog_try_next(&m->backlog, true);

	return l ? l : backlog_try_next(&m->backlog, false);
}

static void test_nothing_was_in_hand(void **state)
{
	struct host_memory *m = memory_new();

	(void)state;
	next_worker(m);
	assert_null(try_next(m));
	assert_string_equal(m->given_up->str, "");
	memory_free(m);
}

static void test_all_that_was_in_hand_is_done_once(void **state)
{
	struct host_memory *m = memory_new();
	uint64_t seen = 0;

	(void)state;
	in_hand(m, 0, 2, FUSE_OPEN);
	in_hand(m, 2, 4, FUSE_READ);
	in_hand(m, 3, 6, FUSE_INTERRUPT); /* speaks of another request: nothing to answer */
	next_worker(m);
	for (struct leftover *l; (l = try_next(m));) {
		seen = seen * 10 + unique_of(l->request);
		backlog_done(&m->backlog, l);
	}
	assert_true(seen == 24 || seen == 42);
	assert_string_equal(m->given_up->str, "");
	memory_free(m);
}

static void test_what_hangs_is_decided_one_after_the_other(void **state)
{
	struct host_memory *m = memory_new();

	(void)state;
	for (unsigned i = 0; i < N_SLOTS; i++)
		in_hand(m, i, 2 + i, FUSE_READ);
	m->stuck = (1u << N_SLOTS) - 1;
	next_worker(m);
	/* Each worker hangs in what is on trial, and in more that comes. */
	for (unsigned deaths = 2; deaths <= BACKLOG_MAX_DEATHS; deaths++) {
		assert_int_equal(unique_of(try_next(m)->request), 2);
		in_hand(m, 0, 100 + deaths, FUSE_READ);
		m->stuck = 1u << SHARED_N_THREADS | 1u;
		assert_string_equal(m->given_up->str, "");
		next_worker(m);
	}
	assert_string_equal(m->given_up->str, "2/3 ");
	memory_free(m);
}

static void test_what_three_workers_died_of_is_given_up_and_others_are_not(void **state)
{
	struct host_memory *m = memory_new();
	struct leftover *l;

	(void)state;
	in_hand(m, 0, 2, FUSE_READ); /* an innocent one */
	in_hand(m, 1, 4, FUSE_READ); /* the poison */
	next_worker(m);              /* the first has died, of one of them */
	l = try_next(m);
	if (unique_of(l->request) == 2) { /* goes well */
		backlog_done(&m->backlog, l);
		l = try_next(m);
	}
	assert_int_equal(unique_of(l->request), 4);
	in_hand(m, 0, 8, FUSE_READ); /* another one that had just come */
	next_worker(m);              /* the second died of it */
	assert_string_equal(m->given_up->str, "");
	l = backlog_try_next(&m->backlog, true); /* the next death would be its last: alone */
	assert_int_equal(unique_of(l->request), 4);
	next_worker(m);
	assert_string_equal(m->given_up->str, "4/3 ");
	l = try_next(m);
	assert_int_equal(unique_of(l->request), 8);
	backlog_done(&m->backlog, l);
	assert_null(try_next(m));
	memory_free(m);
}

static void test_dying_between_copy_and_clearing_does_not_double_it(void **state)
{
	struct host_memory *m = memory_new();
	struct leftover *l;

	(void)state;
	in_hand(m, 0, 2, FUSE_READ);
	next_worker(m);
	in_hand(m, 0, 2, FUSE_READ); /* as it stood before it was cleared */
	next_worker(m);
	l = try_next(m);
	backlog_done(&m->backlog, l);
	assert_null(try_next(m));
	memory_free(m);
}

static void test_garbage_in_the_memory_does_no_harm(void **state)
{
	struct host_memory *m = memory_new();
	struct fuse_in_header in = { .len = UINT32_MAX, .opcode = FUSE_LOOKUP, .unique = 10 };

	(void)state;
	memcpy(m->slots[0].request, &in, sizeof(in)); /* too long for anything that we answer */
	m->backlog.on_trial = 4711;
	next_worker(m);
	assert_string_equal(m->given_up->str, "10/1 ");
	m->backlog.on_trial = SHARED_N_LEFTOVERS; /* of one that is over */
	next_worker(m);
	assert_null(try_next(m));
	memory_free(m);
}

static void test_who_does_not_hang_is_not_blamed(void **state)
{
	struct host_memory *m = memory_new();
	struct leftover *l;

	(void)state;
	in_hand(m, 0, 2, FUSE_READ);
	next_worker(m);
	for (unsigned i = 0; i < 10; i++) { /* another thread hangs each time */
		l = try_next(m);
		assert_int_equal(unique_of(l->request), 2);
		m->stuck = 1u << 1;
		next_worker(m);
	}
	assert_string_equal(m->given_up->str, "");
	for (unsigned i = 0; i < 2; i++) {
		assert_null(backlog_try_next(&m->backlog, true)); /* others need not wait for it */
		(void)try_next(m);
		m->stuck = 1u << SHARED_N_THREADS;
		next_worker(m);
	}
	assert_string_equal(m->given_up->str, "2/3 ");
	memory_free(m);
}

static void test_newcomers_are_not_refused_for_want_of_room(void **state)
{
	struct host_memory *m = memory_new();
	struct leftover *l;
	unsigned n = 0;

	(void)state;
	in_hand(m, 0, 2, FUSE_READ);
	next_worker(m);
	(void)try_next(m);
	next_worker(m); /* one that two died of */
	for (unsigned i = 0; i < SHARED_N_LEFTOVERS / N_SLOTS; i++) {
		for (unsigned t = 0; t < N_SLOTS; t++)
			in_hand(m, t, 4 + 2 * (i * N_SLOTS + t), FUSE_READ);
		next_worker(m);
	}
	assert_string_equal(m->given_up->str, "2/2 "); /* makes way */
	for (; (l = try_next(m)); n++)
		backlog_done(&m->backlog, l);
	assert_int_equal(n, SHARED_N_LEFTOVERS);
	memory_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_was_in_hand),
		cmocka_unit_test(test_all_that_was_in_hand_is_done_once),
		cmocka_unit_test(test_what_hangs_is_decided_one_after_the_other),
		cmocka_unit_test(test_what_three_workers_died_of_is_given_up_and_others_are_not),
		cmocka_unit_test(test_dying_between_copy_and_clearing_does_not_double_it),
		cmocka_unit_test(test_garbage_in_the_memory_does_no_harm),
		cmocka_unit_test(test_who_does_not_hang_is_not_blamed),
		cmocka_unit_test(test_newcomers_are_not_refused_for_want_of_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
