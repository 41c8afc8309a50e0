/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host/pidns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/fd.h"

/* Linux 6.11; Debian 12's headers are older. */
#ifndef NS_GET_TGID_FROM_PIDNS
#define NS_GET_TGID_FROM_PIDNS _IOR(NSIO, 0x7, int)
#endif

/* Room for one SCM_CREDENTIALS message, aligned as the kernel wants it. */
union credentials_buffer {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct ucred))];
};

/* Runs in a child of a child: system calls alone. */
static void send_pid1(int sock)
{
	union credentials_buffer control = { 0 };
	const struct ucred init = { .pid = 1 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_CREDENTIALS;
	c->cmsg_len = CMSG_LEN(sizeof(init));
	memcpy(CMSG_DATA(c), &init, sizeof(init));
	(void)sendmsg(sock, &msg, MSG_NOSIGNAL);
}

static int receive_pid(int sock, pid_t *ret)
{
	union credentials_buffer control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c;
	struct ucred cred;

	/* The child is gone by now: its message is here or will never come. */
	if (recvmsg(sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -ESRCH;
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_CREDENTIALS)
		return -ESRCH;
	memcpy(&cred, CMSG_DATA(c), sizeof(cred));
	if (cred.pid <= 0)
		return -ESRCH;
	*ret = cred.pid;
	return 0;
}

int host_pidns_init_by_credentials(int ns_fd, pid_t *ret)
{
	AUTO_FD int ours = -1;
	AUTO_FD int theirs = -1;
	int pair[2], on = 1;
	pid_t child;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	ours = pair[0];
	theirs = pair[1];
	if (setsockopt(ours, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		/* A pid namespace is entered by one's children alone. */
		if (setns(ns_fd, CLONE_NEWPID) == 0) {
			pid_t grandchild = fork();

			if (grandchild == 0) {
				send_pid1(theirs);
				_exit(0);
			}
			while (grandchild > 0 && waitpid(grandchild, NULL, 0) < 0 && errno == EINTR)
				;
		}
		_exit(0);
	}
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	return receive_pid(ours, ret);
}

int host_pidns_init(int ns_fd, pid_t *ret)
{
	int pid = ioctl(ns_fd, NS_GET_TGID_FROM_PIDNS, 1);

	if (pid > 0) {
		*ret = pid;
		return 0;
	}
	return errno == ENOTTY ? host_pidns_init_by_credentials(ns_fd, ret) : -errno;
}

int host_pidns_parent(int ns_fd)
{
	int fd = ioctl(ns_fd, NS_GET_PARENT);

	return fd < 0 ? -errno : fd;
}
