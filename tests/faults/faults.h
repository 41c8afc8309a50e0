/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* Rows at the end of the table of files, in the builds that the tests of survival run. */
#include "host/host.h"
#include "util/text.h"
#include "view/request.h"

int selftest_generate(const struct request *req, struct text *out); /* tells if it is torn */
int poison_generate(const struct request *req, struct text *out);   /* ends the worker */
int hang_generate(const struct request *req, struct text *out);     /* never returns */
int slow_generate(const struct request *req, struct text *out);     /* takes SLOW_MS */

/* .absent: they are there although the host has no such files. */
#define FAULT_ROWS                                                                                 \
	{ .path = "proc/selftest", .generate = selftest_generate, .absent = "" },                  \
		{ .path = "proc/poison", .generate = poison_generate, .absent = "" },              \
		{ .path = "proc/hang", .generate = hang_generate, .absent = "" },                  \
		{ .path = "proc/slow", .generate = slow_generate, .absent = "" },
