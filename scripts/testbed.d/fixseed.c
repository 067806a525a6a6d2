// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into the emulator. Keeps two promises that its settings cannot:
 * RDRAND and RDSEED give the same numbers in every run (the emulator seeds
 * rand() with the time of day), and its display server is reachable from this
 * machine only. The port of that server is written to the file rfb.port.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

void srand(unsigned int seed)
{
	(void)seed;
	srandom(1);
}

int bind(int fd, const struct sockaddr *addr, socklen_t len)
{
	int (*next)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "bind");
	struct sockaddr_in local;
	FILE *f;

	if (addr->sa_family == AF_INET && len >= sizeof(local)) {
		local = *(const struct sockaddr_in *)addr;
		local.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		if (next(fd, (const struct sockaddr *)&local, sizeof(local)))
			return -1;
		f = fopen("rfb.port", "w");
		if (f) {
			fprintf(f, "%d", ntohs(local.sin_port));
			fclose(f);
		}
		return 0;
	}
	return next(fd, addr, len);
}
