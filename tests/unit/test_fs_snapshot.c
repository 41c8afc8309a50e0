/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/snapshot.h"

#include "fixture.h"

#define N_SLOTS   4
#define TEXT_SIZE 4096

struct shelf {
	void *memory;
	struct snapshots *all;
};

static void shelf_make(struct shelf *s)
{
	s->memory = g_malloc0(snapshots_size(N_SLOTS, TEXT_SIZE));
	s->all = snapshots_new(s->memory, N_SLOTS, TEXT_SIZE);
}

/* The process that served died, another one takes over. */
static void shelf_again(struct shelf *s)
{
	snapshots_free(s->all);
	s->all = snapshots_new(s->memory, N_SLOTS, TEXT_SIZE);
}

static void shelf_end(struct shelf *s)
{
	assert_null(snapshots_free(s->all));
	g_free(s->memory);
}

/* As a READ at offset 0 does. */
static void put(struct shelf *s, uint64_t handle, const char *text)
{
	char *buf;
	struct snapshot *snap = snapshot_lock(s->all, handle, &buf);

	assert_non_null(snap);
	snap->len = strlen(text);
	memcpy(buf, text, snap->len);
	snap->made_for = handle;
	snap->whole = true;
	snapshot_unlock(s->all, snap);
}

/* "": there is no text yet. */
static char *get(struct shelf *s, uint64_t handle)
{
	char *buf, *text;
	struct snapshot *snap = snapshot_lock(s->all, handle, &buf);

	assert_non_null(snap);
	text = g_strndup(buf, snap->whole ? snap->len : 0);
	snapshot_unlock(s->all, snap);
	return text;
}

static void assert_text(struct shelf *s, uint64_t handle, const char *want)
{
	g_autofree char *text = get(s, handle);

	assert_string_equal(text, want);
}

static void test_each_open_file_has_a_text_of_its_own(void **state)
{
	uint64_t a, b;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	assert_int_equal(snapshots_text_size(s.all), TEXT_SIZE);
	a = snapshot_open(s.all, 100, false);
	b = snapshot_open(s.all, 102, false);
	assert_true(a != b && a && b);
	assert_text(&s, a, "");
	put(&s, a, "one");
	put(&s, b, "two");
	assert_text(&s, a, "one");
	assert_text(&s, b, "two");
	put(&s, a, "three");
	assert_text(&s, a, "three");
	shelf_end(&s);
}

static void test_reused_slot_shows_nothing_of_who_had_it(void **state)
{
	uint64_t a, b;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	a = snapshot_open(s.all, 100, false);
	put(&s, a, "secret");
	snapshot_close(s.all, a);
	b = snapshot_open(s.all, 102, false);
	assert_int_equal(a & 1023, b & 1023); /* the warm slot is taken first */
	assert_true(a != b);
	assert_text(&s, b, "");
	/* A release that comes again does not close the other's file. */
	snapshot_close(s.all, a);
	put(&s, b, "mine");
	assert_text(&s, b, "mine");
	shelf_end(&s);
}

static void test_text_whose_making_was_not_finished_is_none(void **state)
{
	struct snapshot *snap;
	struct shelf s;
	uint64_t a;
	char *buf;

	(void)state;
	shelf_make(&s);
	a = snapshot_open(s.all, 100, false);
	put(&s, a, "old");
	snap = snapshot_lock(s.all, a, &buf);
	snap->whole = false;
	memset(buf, 'h', 2); /* dies half-way, with the lock */
	snapshot_unlock(s.all, snap);
	shelf_again(&s);
	assert_text(&s, a, "");
	shelf_end(&s);
}

static void test_open_asked_again_gets_the_handle_it_had(void **state)
{
	struct shelf s;
	uint64_t a;

	(void)state;
	shelf_make(&s);
	a = snapshot_open(s.all, 100, false);
	put(&s, a, "text");
	shelf_again(&s);
	assert_int_equal(snapshot_open(s.all, 100, true), a);
	assert_text(&s, a, "text");
	/* One that the former process never came to is new. */
	assert_true(snapshot_open(s.all, 102, true) != a);
	shelf_end(&s);
}

static void test_full_shelf_gives_away_the_least_recently_used(void **state)
{
	uint64_t h[N_SLOTS], more;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i < N_SLOTS; i++) {
		h[i] = snapshot_open(s.all, 100 + i, false);
		put(&s, h[i], "text");
	}
	assert_text(&s, h[0], "text"); /* now h[1] is the oldest */
	more = snapshot_open(s.all, 200, false);
	assert_text(&s, more, "");
	assert_text(&s, h[0], "text");
	assert_text(&s, h[2], "text");
	assert_text(&s, h[3], "text");
	/* Who lost its slot may close, which is not the others' business. */
	snapshot_close(s.all, h[1]);
	put(&s, more, "more");
	assert_text(&s, more, "more");
	/* A slot that is free comes before any that is used. */
	snapshot_close(s.all, h[3]);
	(void)snapshot_open(s.all, 201, false);
	assert_text(&s, h[0], "text");
	assert_text(&s, h[2], "text");
	assert_text(&s, more, "more");
	shelf_end(&s);
}

/* As put(), for a container. */
static void put_of(struct shelf *s, uint64_t owner, uint64_t handle, const char *text)
{
	char *buf;

	put(s, handle, text);
	struct snapshot *snap = snapshot_lock(s->all, handle, &buf);

	atomic_store(&snap->owner, owner);
	snapshot_unlock(s->all, snap);
}

static void test_full_shelf_gives_away_what_is_of_who_has_most(void **state)
{
	enum { GREEDY = 7, MODEST = 8 };
	uint64_t modest, greedy;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	modest = snapshot_open(s.all, 100, false);
	put_of(&s, MODEST, modest, "half read");
	for (unsigned i = 0; i < 50; i++) {
		greedy = snapshot_open(s.all, 200 + i, false);
		put_of(&s, GREEDY, greedy, "mine");
		if (i == 25)
			shelf_again(&s);
	}
	assert_text(&s, modest, "half read");
	shelf_end(&s);
}

static void test_as_many_owners_as_slots_lose_the_least_recently_used(void **state)
{
	uint64_t handles[N_SLOTS + 1];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i < N_SLOTS; i++) {
		handles[i] = snapshot_open(s.all, 100 + i, false);
		put_of(&s, 50 + i, handles[i], "one");
	}
	assert_text(&s, handles[0], "one");
	handles[N_SLOTS] = snapshot_open(s.all, 200, false);
	put_of(&s, 60, handles[N_SLOTS], "two");
	assert_text(&s, handles[0], "one");
	assert_text(&s, handles[1], "");
	shelf_end(&s);
}

static void test_open_files_outlive_the_process(void **state)
{
	uint64_t h[N_SLOTS];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i < 3; i++) {
		g_autofree char *text = g_strdup_printf("text %u", i);

		h[i] = snapshot_open(s.all, 100 + i, false);
		put(&s, h[i], text);
	}
	snapshot_close(s.all, h[1]);
	shelf_again(&s);
	assert_text(&s, h[0], "text 0");
	assert_text(&s, h[2], "text 2");
	/* two slots are free, so two files can be opened without harm */
	(void)snapshot_open(s.all, 200, false);
	(void)snapshot_open(s.all, 201, false);
	assert_text(&s, h[0], "text 0");
	assert_text(&s, h[2], "text 2");
	shelf_end(&s);
}

/* Its slot was given away, or the memory lost. */
static void test_handle_without_a_slot_gets_one(void **state)
{
	uint64_t h[N_SLOTS + 1];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i <= N_SLOTS; i++) {
		h[i] = snapshot_open(s.all, 100 + i, false);
		put(&s, h[i], "text");
	}
	assert_text(&s, h[0], ""); /* in place of h[1] */
	put(&s, h[0], "anew");
	for (unsigned i = 2; i <= N_SLOTS; i++)
		assert_text(&s, h[i], "text");
	assert_text(&s, h[0], "anew");
	shelf_again(&s);
	assert_text(&s, h[0], "anew");
	snapshot_close(s.all, h[0]);
	assert_text(&s, h[1], ""); /* in the place that is free now */
	for (unsigned i = 2; i <= N_SLOTS; i++)
		assert_text(&s, h[i], "text");
	shelf_end(&s);
}

static void test_lost_memory_mixes_up_no_handles(void **state)
{
	uint64_t old, new;
	struct shelf s;

	(void)state;
	shelf_make(&s);
	old = snapshot_open(s.all, 100, false);
	put(&s, old, "lost");
	shelf_end(&s);
	shelf_make(&s);
	new = snapshot_open(s.all, 102, false);
	put(&s, new, "mine");
	assert_true(old != new);
	assert_text(&s, old, "");
	put(&s, old, "anew");
	assert_text(&s, new, "mine");
	snapshot_close(s.all, old);
	assert_text(&s, new, "mine");
	shelf_end(&s);
}

static void test_handles_that_were_never_given(void **state)
{
	static const uint64_t wrong[] = { 1, UINT64_C(1) << 32, UINT64_MAX };
	struct shelf s;

	(void)state;
	shelf_make(&s);
	snapshot_close(s.all, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
		snapshot_close(s.all, wrong[i]);
		assert_text(&s, wrong[i], "");
	}
	shelf_end(&s);
}

static void test_texts_do_not_overlap(void **state)
{
	g_autofree char *full = g_strnfill(TEXT_SIZE, 'x');
	uint64_t h[N_SLOTS];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (unsigned i = 0; i < N_SLOTS; i++) {
		h[i] = snapshot_open(s.all, 100 + i, false);
		put(&s, h[i], i % 2 ? "short" : full);
	}
	for (unsigned i = 0; i < N_SLOTS; i++)
		assert_text(&s, h[i], i % 2 ? "short" : full);
	shelf_end(&s);
}

static void *open_and_close(void *data)
{
	static int ids;
	struct shelf *s = data;

	for (unsigned n = 0; n < 3000; n++) {
		unsigned id = (unsigned)g_atomic_int_add(&ids, 1) + 1;
		uint64_t handle = snapshot_open(s->all, id, false);
		char *buf;
		struct snapshot *snap = snapshot_lock(s->all, handle, &buf);

		memset(buf, (int)id, TEXT_SIZE);
		if (buf[0] != buf[TEXT_SIZE - 1])
			return NULL;
		snapshot_unlock(s->all, snap);
		snapshot_close(s->all, handle);
	}
	return s;
}

static void test_more_readers_than_slots(void **state)
{
	GThread *threads[N_SLOTS + 2];
	struct shelf s;

	(void)state;
	shelf_make(&s);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		threads[i] = g_thread_new(NULL, open_and_close, &s);
	for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
		assert_non_null(g_thread_join(threads[i]));
	shelf_end(&s);
}

static void test_read_that_is_done_again_changes_no_later_text(void **state)
{
	const struct snapshot made = { .whole = true, .made_by = 40 };
	const struct snapshot broken = { .whole = false, .made_by = 40 };

	(void)state;
	assert_true(snapshot_is_due(&made, 0, 42, false)); /* rewound */
	assert_true(snapshot_is_due(&made, 0, 42, true));  /* … and not answered */
	assert_false(snapshot_is_due(&made, 0, 40, true)); /* it may have been answered */
	assert_false(snapshot_is_due(&made, 0, 38, true)); /* it was: its reader went on since */
	assert_false(snapshot_is_due(&made, 256, 44, false));
	assert_true(snapshot_is_due(&broken, 256, 44, false));
	assert_true(snapshot_is_due(&broken, 0, 38, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_open_file_has_a_text_of_its_own),
		cmocka_unit_test(test_reused_slot_shows_nothing_of_who_had_it),
		cmocka_unit_test(test_text_whose_making_was_not_finished_is_none),
		cmocka_unit_test(test_open_asked_again_gets_the_handle_it_had),
		cmocka_unit_test(test_full_shelf_gives_away_the_least_recently_used),
		cmocka_unit_test(test_full_shelf_gives_away_what_is_of_who_has_most),
		cmocka_unit_test(test_as_many_owners_as_slots_lose_the_least_recently_used),
		cmocka_unit_test(test_open_files_outlive_the_process),
		cmocka_unit_test(test_handle_without_a_slot_gets_one),
		cmocka_unit_test(test_lost_memory_mixes_up_no_handles),
		cmocka_unit_test(test_handles_that_were_never_given),
		cmocka_unit_test(test_texts_do_not_overlap),
		cmocka_unit_test(test_more_readers_than_slots),
		cmocka_unit_test(test_read_that_is_done_again_changes_no_later_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
