/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/verdicts.h"

#include "host/pid.h"
#include "util/sys.h"

/* What makes the container of @pid, as far as can be told without looking it up, which may hang. */
static bool name_container(const struct host *host, pid_t pid, uint64_t *ret_pid_ns,
			   uint64_t *ret_cgroup_ns)
{
	return host_pid_ns(host, pid, HOST_NS_PID, ret_pid_ns) == 0 &&
	       host_pid_ns(host, pid, HOST_NS_CGROUP, ret_cgroup_ns) == 0;
}

bool verdicts_add(struct verdicts *v, const struct host *host, const struct request_head *head,
		  uint64_t now_ms)
{
	struct verdict new = { .node = head->node,
			       .opcode = head->opcode,
			       .until_ms = now_ms + VERDICT_S * UINT64_C(1000) };
	struct verdict *oldest = &v->all[0];
	uint64_t pid_ns, cgroup_ns;

	if (head->pid == 0 || !name_container(host, 0, &pid_ns, &cgroup_ns) ||
	    !name_container(host, (pid_t)head->pid, &new.pid_ns, &new.cgroup_ns) ||
	    (new.pid_ns == pid_ns &&new.cgroup_ns == cgroup_ns))
		return false;
	for (size_t i = 0; i < SHARED_N_VERDICTS; i++)
		if (v->all[i].until_ms < oldest->until_ms)
			oldest = &v->all[i];
	*oldest = new;
	atomic_store(&v->until_ms, new.until_ms);
	return true;
}

bool verdicts_has(struct verdicts *v, const struct host *host, const struct request_head *head)
{
	uint64_t until = atomic_load_explicit(&v->until_ms, memory_order_relaxed), now;
	uint64_t pid_ns, cgroup_ns;

	if (until == 0)
		return false;
	now = sys_coarse_ms();
	if (now > until) {
		atomic_store(&v->until_ms, 0);
		return false;
	}
	if (!name_container(host, (pid_t)head->pid, &pid_ns, &cgroup_ns))
		return false;
	for (size_t i = 0; i < SHARED_N_VERDICTS; i++) {
		const struct verdict *a = &v->all[i];

		if (a->node == head->node && a->opcode == head->opcode && a->pid_ns == pid_ns &&
		    a->cgroup_ns == cgroup_ns && now <= a->until_ms)
			return true;
	}
	return false;
}
