/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/handshake.h"

#include "fixture.h"

#include <linux/fuse.h>
#include <sys/socket.h>

struct init_request {
	struct fuse_in_header head;
	struct fuse_init_in in;
};

struct init_reply {
	struct fuse_out_header head;
	struct fuse_init_out out;
};

/* The kernel's end of /dev/fuse and ours: a message a read, as there. */
struct line {
	int kernel, ours;
	struct shared_header h;
};

static void line_make(struct line *l)
{
	int fds[2];

	*l = (struct line){ 0 };
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
	l->kernel = fds[0];
	l->ours = fds[1];
}

static void line_end(struct line *l)
{
	close(l->kernel);
	close(l->ours);
}

static struct init_request usual(void)
{
	return (struct init_request){
		.head = { .len = sizeof(struct init_request), .opcode = FUSE_INIT, .unique = 2 },
		.in = { .major = FUSE_KERNEL_VERSION,
			.minor = 45,
			.max_readahead = 131072,
			.flags = UINT32_MAX,
			.flags2 = UINT32_MAX },
	};
}

static bool answer(struct line *l, const struct init_request *req, size_t len)
{
	g_autoptr(GError) error = NULL;
	bool ok;

	assert_int_equal(write(l->kernel, req, len), len);
	ok = handshake_answer(l->ours, &l->h, &error);
	assert_int_equal(ok, error == NULL);
	return ok;
}

static struct init_reply agreed(struct line *l, const struct init_request *req)
{
	struct init_reply reply;

	assert_true(answer(l, req, req->head.len));
	assert_int_equal(read(l->kernel, &reply, sizeof(reply)), sizeof(reply));
	assert_int_equal(reply.head.len, sizeof(reply));
	assert_int_equal(reply.head.error, 0);
	assert_int_equal(reply.head.unique, req->head.unique);
	return reply;
}

static void test_answer_to_a_new_kernel(void **state)
{
	struct init_request req = usual();
	struct init_reply reply;
	struct line l;

	(void)state;
	line_make(&l);
	reply = agreed(&l, &req);
	assert_int_equal(reply.out.major, FUSE_KERNEL_VERSION);
	assert_true(reply.out.minor >= 23 && reply.out.minor < req.in.minor);
	assert_true(reply.out.max_write >= 4096);
	assert_true(reply.out.max_pages >= 1);
	/* none of those that change who answers for what: passthrough, posix locks, writeback */
	assert_int_equal(reply.out.flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS |
					    FUSE_WRITEBACK_CACHE | FUSE_EXPORT_SUPPORT),
			 0);
	assert_int_equal(l.h.init_in_len, sizeof(req));
	assert_memory_equal(l.h.init_in, &req, sizeof(req));
	assert_memory_equal(l.h.init_out, &reply.out, l.h.init_out_len);
	line_end(&l);
}

static void test_no_more_than_the_kernel_offers(void **state)
{
	struct init_request req = usual();
	struct init_reply reply;
	struct line l;

	(void)state;
	line_make(&l);
	req.in.minor = 27;
	req.in.flags = FUSE_ASYNC_READ;
	req.in.max_readahead = 4096;
	reply = agreed(&l, &req);
	assert_int_equal(reply.out.minor, 27);
	assert_int_equal(reply.out.flags, FUSE_ASYNC_READ);
	assert_int_equal(reply.out.flags2, 0);
	assert_int_equal(reply.out.max_readahead, 4096);
	line_end(&l);
}

static void test_short_request_of_an_older_kernel(void **state)
{
	struct init_request req = usual();
	struct init_reply reply;
	char buf[256];
	struct line l;

	(void)state;
	line_make(&l);
	req.head.len = sizeof(req.head) + 16;
	req.in.minor = 31;
	reply = agreed(&l, &req);
	assert_int_equal(reply.out.minor, 31);
	assert_int_equal(l.h.init_in_len, req.head.len);
	assert_int_equal(handshake_replay(&l.h, buf), req.head.len);
	line_end(&l);
}

static void assert_refused(struct init_request req, size_t len)
{
	struct line l;

	line_make(&l);
	assert_false(answer(&l, &req, len));
	/* nothing was said, nothing was kept */
	assert_int_equal(recv(l.kernel, &req, sizeof(req), MSG_DONTWAIT), -1);
	assert_int_equal(l.h.init_in_len, 0);
	line_end(&l);
}

static void test_what_is_no_request_that_we_know(void **state)
{
	struct init_request req = usual();

	(void)state;
	assert_refused(req, sizeof(req.head));
	assert_refused(req, sizeof(req.head) + 15);
	assert_refused(req, 1);
	req.in.major = 6;
	assert_refused(req, sizeof(req));
	req = usual();
	req.in.major = 8;
	assert_refused(req, sizeof(req));
	req = usual();
	req.in.minor = 22;
	assert_refused(req, sizeof(req));
	req = usual();
	req.head.opcode = FUSE_LOOKUP;
	assert_refused(req, sizeof(req));
}

static void test_request_too_long_for_the_record(void **state)
{
	char buf[1024] = { 0 };
	struct init_request req = usual();
	g_autoptr(GError) error = NULL;
	struct line l;

	(void)state;
	line_make(&l);
	memcpy(buf, &req, sizeof(req));
	assert_int_equal(write(l.kernel, buf, sizeof(buf)), sizeof(buf));
	assert_false(handshake_answer(l.ours, &l.h, &error));
	assert_non_null(error);
	line_end(&l);
}

static void test_kernel_that_hung_up(void **state)
{
	g_autoptr(GError) error = NULL;
	struct line l;

	(void)state;
	line_make(&l);
	assert_int_equal(shutdown(l.kernel, SHUT_RDWR), 0);
	assert_false(handshake_answer(l.ours, &l.h, &error));
	assert_non_null(error);
	line_end(&l);
}

static void test_replay_offers_what_was_agreed_and_no_more(void **state)
{
	struct init_request req = usual(), replay;
	struct init_reply reply;
	char buf[256];
	struct line l;

	(void)state;
	line_make(&l);
	reply = agreed(&l, &req);
	assert_int_equal(handshake_replay(&l.h, buf), sizeof(replay));
	memcpy(&replay, buf, sizeof(replay));
	assert_int_equal(replay.head.len, sizeof(replay));
	assert_int_equal(replay.head.opcode, FUSE_INIT);
	assert_int_equal(replay.head.unique, req.head.unique);
	assert_int_equal(replay.in.major, FUSE_KERNEL_VERSION);
	assert_int_equal(replay.in.minor, reply.out.minor);
	assert_int_equal(replay.in.flags, reply.out.flags);
	assert_int_equal(replay.in.flags2, reply.out.flags2);
	line_end(&l);
}

static void test_what_libfuse_may_answer(void **state)
{
	struct shared_header h = { .init_out_len = sizeof(struct fuse_init_out) };
	const struct fuse_init_out out = { .major = 7,
					   .minor = 38,
					   .flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES };
	struct init_reply r = { .head = { .len = sizeof(r) }, .out = out };

	(void)state;
	memcpy(h.init_out, &out, sizeof(out));
	assert_true(handshake_fits(&h, (char *)&r, sizeof(r)));
	r.out.flags = FUSE_ASYNC_READ;
	r.out.minor = 31;
	assert_true(handshake_fits(&h, (char *)&r, sizeof(r)));
	/* an older libfuse's answer is shorter */
	assert_true(handshake_fits(&h, (char *)&r, sizeof(r.head) + 24));
	r.out.flags |= FUSE_POSIX_LOCKS;
	assert_false(handshake_fits(&h, (char *)&r, sizeof(r)));
	r.out = out;
	r.out.flags2 = 1;
	assert_false(handshake_fits(&h, (char *)&r, sizeof(r)));
	r.out = out;
	r.out.minor = 39;
	assert_false(handshake_fits(&h, (char *)&r, sizeof(r)));
	r.out = out;
	r.head.error = -EPROTO;
	assert_false(handshake_fits(&h, (char *)&r, sizeof(r)));
	assert_false(handshake_fits(&h, (char *)&r, 0));
	r.head.error = 0;
	assert_false(handshake_fits(&h, (char *)&r, sizeof(r.head) - 1));
}

static void test_heads_of_requests(void **state)
{
	static const struct {
		uint32_t opcode;
		bool is_interrupt, wants_reply;
	} rows[] = {
		{ FUSE_READ, false, true },          { FUSE_OPEN, false, true },
		{ FUSE_RELEASE, false, true },       { FUSE_FORGET, false, false },
		{ FUSE_BATCH_FORGET, false, false }, { FUSE_INTERRUPT, true, false },
	};

	(void)state;
	for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
		const struct fuse_in_header in = {
			.len = 77, .opcode = rows[i].opcode, .unique = 98, .nodeid = 12, .pid = 4321
		};
		struct request_head head;

		handshake_head((const char *)&in, &head);
		assert_int_equal(head.len, 77);
		assert_int_equal(head.unique, 98);
		assert_int_equal(head.node, 12);
		assert_false(head.resent);
		assert_int_equal(head.pid, 4321);
		assert_int_equal(head.is_interrupt, rows[i].is_interrupt);
		assert_int_equal(head.wants_reply, rows[i].wants_reply);
	}
}

static void test_request_that_the_kernel_asks_again(void **state)
{
	struct fuse_in_header in = { .len = 40,
				     .opcode = FUSE_READ,
				     .unique = UINT64_C(1) << 63 | 6 };
	struct request_head head;

	(void)state;
	handshake_head((const char *)&in, &head);
	assert_true(head.resent);
	assert_int_equal(head.unique, 6); /* as it was when it came first */
	assert_false(handshake_is_clear((const char *)&in));
	handshake_clear((char *)&in);
	assert_true(handshake_is_clear((const char *)&in));
	handshake_head((const char *)&in, &head);
	assert_int_equal(head.len, 0);
}

static void test_reply_that_says_an_error(void **state)
{
	const struct fuse_in_header in = { .len = 40, .unique = UINT64_C(1) << 63 | 99 };
	struct fuse_out_header out;
	char buf[16];

	(void)state;
	assert_int_equal(handshake_error_reply((const char *)&in, EIO, buf), sizeof(out));
	memcpy(&out, buf, sizeof(out));
	assert_int_equal(out.len, sizeof(out));
	assert_int_equal(out.error, -EIO);
	assert_true(out.unique == in.unique); /* unchanged: the kernel knows it by that */
}

static void test_asking_again_needs_linux_6_9(void **state)
{
	struct init_request req = { .in = { .major = 7, .minor = 40, .flags = FUSE_INIT_EXT } };
	struct shared_header h = { .init_in_len = sizeof(req) };

	(void)state;
	memcpy(h.init_in, &req, sizeof(req));
	assert_false(handshake_can_resend(&h));
	req.in.flags2 = 1u << 7;
	memcpy(h.init_in, &req, sizeof(req));
	assert_true(handshake_can_resend(&h));
	req.in.flags = 0; /* then the second word means nothing */
	memcpy(h.init_in, &req, sizeof(req));
	assert_false(handshake_can_resend(&h));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_to_a_new_kernel),
		cmocka_unit_test(test_no_more_than_the_kernel_offers),
		cmocka_unit_test(test_short_request_of_an_older_kernel),
		cmocka_unit_test(test_what_is_no_request_that_we_know),
		cmocka_unit_test(test_request_too_long_for_the_record),
		cmocka_unit_test(test_kernel_that_hung_up),
		cmocka_unit_test(test_replay_offers_what_was_agreed_and_no_more),
		cmocka_unit_test(test_what_libfuse_may_answer),
		cmocka_unit_test(test_heads_of_requests),
		cmocka_unit_test(test_request_that_the_kernel_asks_again),
		cmocka_unit_test(test_reply_that_says_an_error),
		cmocka_unit_test(test_asking_again_needs_linux_6_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
