/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Has libfuse believe in a feature that was not agreed with the kernel, so that it wants it. */
#include <linux/fuse.h>
#include <string.h>

#include "daemon/handshake.h"

/* The linker's names for what is called handshake_replay() and for the function itself. */
size_t __wrap_handshake_replay(const struct shared_header *header, char *buf);
size_t __real_handshake_replay(const struct shared_header *header, char *buf);

size_t __wrap_handshake_replay(const struct shared_header *header, char *buf)
{
	size_t len = __real_handshake_replay(header, buf);
	struct fuse_init_in in;

	memcpy(&in, buf + sizeof(struct fuse_in_header), sizeof(in));
	in.flags |= FUSE_AUTO_INVAL_DATA;
	memcpy(buf + sizeof(struct fuse_in_header), &in, sizeof(in));
	return len;
}
