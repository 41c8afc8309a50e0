/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Put in the daemon's place, it starts and is never ready; with HANGS_UP it says so at once. */
#include <unistd.h>

int main(void)
{
#ifdef HANGS_UP
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
#endif
	for (;;)
		pause();
}
