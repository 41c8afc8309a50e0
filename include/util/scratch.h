/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/*
 * A thread's own big buffer: made once, for the few threads that live as long as the process. Only
 * the pages that were ever written cost memory, unlike an array in thread-local storage (libc
 * clears those) or on the stack (probed page by page against stack clashes).
 */
#include <stddef.h>

/* *@buf, a static _Thread_local pointer, made when it is NULL. Aborts when there is no memory. */
char *scratch(char **buf, size_t size);
