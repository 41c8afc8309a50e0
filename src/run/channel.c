/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/fail.h"
#include "util/fdpass.h"

#define MESSAGE_SIZE 4096

/* "E125 sentence" */
#define FAILURE 'E'

bool channel_make(int ret[2], GError **error)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) == 0 ||
	       run_fail(error, errno, "cannot make a socket pair");
}

bool channel_say(int channel, enum channel_word word, int fd, GError **error)
{
	const char text[] = { (char)word, '\0' };
	int r = fdpass_send(channel, NULL, 0, text, &fd, fd >= 0 ? 1 : 0, 0);

	return r == 0 || run_fail(error, -r, "the other end of the launch is gone");
}

void channel_fail(int channel, const GError *error)
{
	int status = error->domain == RUN_ERROR ? error->code : RUN_FAILED;
	g_autofree char *text =
		g_strdup_printf("%c%d %.*s", FAILURE, status, MESSAGE_SIZE - 16, error->message);

	/* Who is gone need not be told. */
	(void)fdpass_send(channel, NULL, 0, text, NULL, 0, 0);
}

static bool understand_failure(const char *text, GError **error)
{
	char *sentence;
	long status = strtol(text, &sentence, 10);

	return run_fail_status(error, (enum run_status)status, "%s",
			       *sentence == ' ' ? sentence + 1 : sentence);
}

bool channel_expect(int channel, enum channel_word word, int *ret_fd, GError **error)
{
	char text[MESSAGE_SIZE];
	int fds[1];
	size_t n_fds = 1;
	ssize_t n = fdpass_recv(channel, text, sizeof(text), fds, &n_fds, 0);

	if (n < 0)
		return run_fail(error, (int)-n, "the other end of the launch cannot be heard");
	if (ret_fd)
		*ret_fd = n_fds ? fds[0] : -1;
	else if (n_fds)
		close(fds[0]);
	if (n == 1 && text[0] == (char)word)
		return true;
	if (n > 1 && text[0] == FAILURE)
		return understand_failure(text + 1, error);
	return run_fail(error, 0, "the process ended before it was started");
}

bool channel_expect_end(int channel, GError **error)
{
	char text[MESSAGE_SIZE];
	size_t n_fds = 0;
	ssize_t n = fdpass_recv(channel, text, sizeof(text), NULL, &n_fds, 0);

	if (n > 1 && text[0] == FAILURE)
		return understand_failure(text + 1, error);
	return n == 0 || run_fail(error, n < 0 ? (int)-n : EBADMSG,
				  "the other end of the launch cannot be heard");
}
