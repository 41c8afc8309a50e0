/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What `check` finds: a line each, with what can be done about it. */
#include <glib.h>
#include <stdbool.h>

enum finding_state { FINDING_OK, FINDING_WARN, FINDING_FAIL, FINDING_N_STATES };

struct findings {
	GPtrArray *list;
	unsigned counts[FINDING_N_STATES];
};

void findings_init(struct findings *f);
void findings_clear(struct findings *f);

/*
 * About @about, a static word, @format says what was found. @remedy: a command or a short sentence;
 * NULL: there is none, or nothing is to be remedied.
 */
void findings_add(struct findings *f, enum finding_state state, const char *about,
		  const char *remedy, const char *format, ...) G_GNUC_PRINTF(5, 6);

/* For people, or as one JSON object. */
void findings_print(const struct findings *f, const char *mountpoint, bool json);
