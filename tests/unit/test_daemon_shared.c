/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/shared.h"

#include "fixture.h"

#include <sys/mman.h>

#include "container/state.h"
#include "fs/names.h"
#include "fs/snapshot.h"

/* The worker's: mapped anew, by a descriptor of its own. */
static struct shared mapped(const struct shared *made)
{
	struct shared s;

	assert_int_equal(shared_map(fcntl(made->fd, F_DUPFD_CLOEXEC, 0), &s), 0);
	return s;
}

static void test_keeper_maps_the_header_and_the_journal(void **state)
{
	struct shared s;
	struct stat st;

	(void)state;
	assert_int_equal(shared_create(4, &s), 0);
	assert_int_equal(s.header->n_cpus, 4);
	assert_int_equal(s.header->init_in_len, 0);
	assert_int_equal(fstat(s.fd, &st), 0);
	assert_int_equal(st.st_size, s.header->size);
	assert_true(s.size < s.header->size);
	/* What nobody touched costs nothing. */
	assert_true(st.st_blocks * 512 <= 64 << 10);
	assert_int_equal(s.journal[SHARED_N_THREADS - 1].request[0], 0);
	assert_null(s.snapshots);
	shared_clear(&s);
	assert_int_equal(s.fd, -1);
}

/* From @a on, for @size bytes, nothing else begins; all is within the file. */
static void assert_room(const struct shared *s, const void *a, size_t size)
{
	const void *const all[] = { s->header,    s->journal, s->backlog,
				    s->snapshots, s->states,  s->names };
	const char *begin = a, *end = begin + size;

	assert_true(begin >= (const char *)s->header);
	assert_true(end <= (const char *)s->header + s->size);
	assert_int_equal((uintptr_t)begin % 4096, 0);
	for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
		assert_true(all[i] == a || (const char *)all[i] >= end ||
			    (const char *)all[i] < begin);
}

static void test_parts_do_not_overlap(void **state)
{
	static const unsigned cpus[] = { 1, 2, 64, 512 };

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(cpus); i++) {
		struct shared keeper, worker;

		assert_int_equal(shared_create(cpus[i], &keeper), 0);
		worker = mapped(&keeper);
		assert_int_equal(worker.header->n_cpus, cpus[i]);
		/* 1.5 KiB a cpu of x86's cpuinfo, and more */
		assert_true(worker.header->text_size >= cpus[i] * 2048 + 65536);
		assert_room(&worker, worker.header, sizeof(*worker.header));
		assert_room(&worker, worker.journal, SHARED_N_THREADS * sizeof(*worker.journal));
		assert_room(&worker, worker.backlog, sizeof(*worker.backlog));
		assert_room(&worker, worker.snapshots,
			    snapshots_size(SHARED_N_SNAPSHOTS, worker.header->text_size));
		assert_room(&worker, worker.states, state_table_size(SHARED_N_STATES, cpus[i]));
		assert_room(&worker, worker.names, names_size());
		shared_clear(&worker);
		shared_clear(&keeper);
	}
}

static void test_each_worker_sees_what_the_former_left(void **state)
{
	struct shared keeper, first, second;

	(void)state;
	assert_int_equal(shared_create(2, &keeper), 0);
	first = mapped(&keeper);
	memset(first.names, 0x5a, 100);
	memcpy(first.journal[SHARED_N_THREADS - 1].request, "hello", 6);
	keeper.header->init_in_len = 7; /* the keeper's and the workers' is one */
	assert_int_equal(first.header->init_in_len, 7);
	shared_clear(&first);
	second = mapped(&keeper);
	assert_int_equal(((char *)second.names)[99], 0x5a);
	assert_string_equal(second.journal[SHARED_N_THREADS - 1].request, "hello");
	assert_int_equal(second.header->init_in_len, 7);
	shared_clear(&second);
	shared_clear(&keeper);
}

/* Made by a program that does not fit: told, and nothing stays mapped or is closed. */
static void assert_does_not_fit(int fd, int error)
{
	struct shared s = { .fd = 77 };

	assert_int_equal(shared_map(fd, &s), error);
	assert_int_equal(s.fd, 77);
	assert_true(fcntl(fd, F_GETFD) >= 0);
}

static void test_file_that_does_not_fit(void **state)
{
	struct shared keeper;
	struct shared_header saved;

	(void)state;
	assert_int_equal(shared_create(2, &keeper), 0);
	saved = *keeper.header;
	keeper.header->magic++;
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	for (size_t i = 0; i < SHARED_N_PARTS; i++) {
		keeper.header->parts[i].version++;
		assert_does_not_fit(keeper.fd, -EPROTO);
		*keeper.header = saved;
	}
	keeper.header->parts[SHARED_N_PARTS].size = 1; /* a later version's */
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	keeper.header->size += 4096;
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	keeper.header->n_cpus = 3;
	assert_does_not_fit(keeper.fd, -EPROTO);
	keeper.header->n_cpus = UINT32_MAX;
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	keeper.header->text_size = UINT32_MAX;
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	keeper.header->init_in_len = sizeof(saved.init_in) + 1;
	assert_does_not_fit(keeper.fd, -EPROTO);
	*keeper.header = saved;
	assert_int_equal(ftruncate(keeper.fd, (off_t)saved.size - 4096), 0);
	assert_does_not_fit(keeper.fd, -EPROTO);
	shared_clear(&keeper);
}

static void test_what_is_no_such_file(void **state)
{
	int empty = memfd_create("empty", MFD_CLOEXEC), few = memfd_create("few", MFD_CLOEXEC);
	struct shared s;

	(void)state;
	assert_true(shared_map(empty, &s) < 0);
	assert_int_equal(write(few, "few bytes", 9), 9);
	assert_does_not_fit(few, -EPROTO);
	assert_int_equal(shared_map(-1, &s), -EBADF);
	close(empty);
	close(few);
}

static void test_next_keeper_finds_the_record(void **state)
{
	struct shared first, next;

	(void)state;
	assert_int_equal(shared_create(2, &first), 0);
	first.header->record.restarts = 41;
	assert_int_equal(shared_resume(fcntl(first.fd, F_DUPFD_CLOEXEC, 0), &next), 0);
	assert_int_equal(next.header->record.restarts, 41);
	assert_true(next.size < next.header->size);
	shared_clear(&next);
	shared_clear(&first);
}

/* As a version leaves it that is @changed (a bit a part) against this one. */
static void make_old(struct shared *old, unsigned changed)
{
	struct shared worker;

	assert_int_equal(shared_create(2, old), 0);
	memcpy(old->header->init_in, "the request", 12);
	memcpy(old->header->init_out, "the answer", 11);
	old->header->init_in_len = 12;
	old->header->init_out_len = 11;
	worker = mapped(old);
	memcpy(worker.journal[1].request, "in hand", 8);
	memcpy(worker.backlog->leftovers[63].request, "left over", 10);
	memcpy((char *)worker.snapshots + (1 << 20), "text", 5);
	memcpy((char *)worker.states + 5000, "counters", 9);
	memcpy((char *)worker.names + names_size() - 5, "name", 5);
	shared_clear(&worker);
	for (size_t i = 0; i < SHARED_N_PARTS; i++)
		old->header->parts[i].version += changed >> i & 1u;
	/* What is behind the first part means nothing to us. */
	old->header->n_cpus = old->header->text_size = 77;
}

static void assert_kept(const char *got, const char *want, unsigned changed, enum shared_part part)
{
	assert_string_equal(got, changed & 1u << part ? "" : want);
}

static void assert_goes_on(unsigned changed, bool lost)
{
	struct shared old, new, worker;

	make_old(&old, changed);
	assert_int_equal(shared_resume(old.fd, &new), -EPROTO);
	assert_int_equal(shared_replace(old.fd, 2, &new), 0);
	assert_int_equal(new.header->n_cpus, 2);
	assert_string_equal(new.header->init_in, "the request");
	assert_string_equal(new.header->init_out, "the answer");
	assert_int_equal(new.header->init_in_len, 12);
	assert_int_equal(new.header->init_out_len, 11);
	assert_int_equal(new.header->lost, lost);
	worker = mapped(&new);
	assert_kept(new.journal[1].request, "in hand", changed, SHARED_JOURNAL);
	assert_kept(worker.backlog->leftovers[63].request, "left over", changed, SHARED_BACKLOG);
	assert_kept((char *)worker.snapshots + (1 << 20), "text", changed, SHARED_SNAPSHOTS);
	assert_kept((char *)worker.states + 5000, "counters", changed, SHARED_STATES);
	assert_kept((char *)worker.names + names_size() - 5, "name", changed, SHARED_NAMES);
	shared_clear(&worker);
	shared_clear(&new);
	shared_clear(&old);
}

static void test_next_version_goes_on_with_what_it_knows(void **state)
{
	(void)state;
	assert_goes_on(1u << SHARED_HEADER, false);
	assert_goes_on(1u << SHARED_JOURNAL, true);
	assert_goes_on(1u << SHARED_BACKLOG, true);
	assert_goes_on(1u << SHARED_SNAPSHOTS | 1u << SHARED_STATES, false);
}

static void test_next_version_cannot_go_on(void **state)
{
	struct shared old, none;

	(void)state;
	make_old(&old, 1u << SHARED_NAMES);
	assert_int_equal(shared_replace(old.fd, 2, &none), -EPROTO);
	old.header->parts[SHARED_NAMES].version--;
	old.header->init_in_len = 257;
	assert_int_equal(shared_replace(old.fd, 2, &none), -EPROTO);
	old.header->init_in_len = 0; /* was never mounted */
	assert_int_equal(shared_replace(old.fd, 2, &none), -EPROTO);
	shared_clear(&old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeper_maps_the_header_and_the_journal),
		cmocka_unit_test(test_parts_do_not_overlap),
		cmocka_unit_test(test_each_worker_sees_what_the_former_left),
		cmocka_unit_test(test_file_that_does_not_fit),
		cmocka_unit_test(test_what_is_no_such_file),
		cmocka_unit_test(test_next_keeper_finds_the_record),
		cmocka_unit_test(test_next_version_goes_on_with_what_it_knows),
		cmocka_unit_test(test_next_version_cannot_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
