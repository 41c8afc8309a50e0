/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once
/* What libFuzzer calls, of this name, with each of its inputs. */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
