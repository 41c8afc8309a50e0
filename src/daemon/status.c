/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/status.h"

#include "util/octal.h"
#include "util/text.h"

static void line_str(struct text *t, const char *key, const char *value)
{
	text_str(t, key);
	text_str(t, " ");
	octal_escape(t, value);
	text_str(t, "\n");
}

static void line_u64(struct text *t, const char *key, uint64_t value)
{
	text_str(t, key);
	text_str(t, " ");
	text_u64(t, value);
	text_str(t, "\n");
}

static void line_bool(struct text *t, const char *key, bool value)
{
	line_str(t, key, value ? "yes" : "no");
}

ssize_t status_render(const struct status *s, char *buf, size_t size)
{
	struct text t;
	int r;

	text_init(&t, buf, size);
	line_str(&t, "version", s->version);
	line_str(&t, "mountpoint", s->mountpoint);
	line_u64(&t, "uptime_ms", s->uptime_ms);
	line_u64(&t, "keeper_pid", (uint64_t)s->keeper);
	line_u64(&t, "worker_pid", (uint64_t)s->worker);
	line_u64(&t, "standby_pid", (uint64_t)s->standby);
	line_u64(&t, "restarts", s->restarts);
	line_u64(&t, "keepers", s->keepers);
	line_u64(&t, "upgrades", s->upgrades);
	line_bool(&t, "resend", s->resend);
	line_bool(&t, "beneath", s->beneath);
	line_u64(&t, "stored_fds", s->stored_fds);
	line_bool(&t, "holder", s->holder);
	line_str(&t, "repair", s->repair);
	line_u64(&t, "containers", s->containers);
	line_u64(&t, "requests", s->requests);
	line_u64(&t, "requests_per_second", s->requests_per_second);
	for (unsigned i = 0; i < s->n_recent && i < STATUS_N_RECENT; i++) {
		text_str(&t, "restart ");
		text_u64(&t, s->recent[i].age_ms);
		text_str(&t, " ");
		octal_escape(&t, s->recent[i].reason);
		text_str(&t, "\n");
	}
	r = text_result(&t);
	return r < 0 ? r : (ssize_t)t.len;
}
