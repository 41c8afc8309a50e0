/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Put in the daemon's place, it starts and is never ready. */
#include <unistd.h>

int main(void)
{
	for (;;)
		pause();
}
