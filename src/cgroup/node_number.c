/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "cgroup/node.h"
#include "util/num.h"

int cg_node_read_u64(struct cg_node *n, enum cg_file file, uint64_t *ret)
{
	char buf[64];
	ssize_t len = cg_node_read(n, file, buf, sizeof(buf));
	uint64_t v;

	if (len < 0)
		return (int)len;
	if (strcmp(buf, "max\n") == 0 || strcmp(buf, "-1\n") == 0)
		v = CG_UNLIMITED;
	else if (!num_parse(buf, &v))
		return -EBADMSG;
	*ret = cg_limit(v);
	return 0;
}
