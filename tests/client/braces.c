// SPDX-License-Identifier: GPL-2.0-only
/*
 * braces PATH [MIB]: a policy service that answers every question with so many MiB of
 * braces, 2048 if it is not said, or nothing at all for 0; tells how many went away.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void answer(int fd, long long bytes)
{
	static char buf[65536];
	long long sent = 0;
	ssize_t n = read(fd, buf, sizeof(buf));

	memset(buf, '{', sizeof(buf));
	while (n > 0 && sent < bytes) {
		n = write(fd, buf, sizeof(buf));
		sent += n > 0 ? n : 0;
	}
	/* Until the other end goes. */
	while (n > 0)
		n = read(fd, buf, sizeof(buf));
	printf("braces: %lld\n", sent);
	fflush(stdout);
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	long long bytes = (argc > 2 ? atoll(argv[2]) : 2048) << 20;
	int s = socket(AF_UNIX, SOCK_STREAM, 0), fd;

	if (argc < 2)
		return 64;
	signal(SIGPIPE, SIG_IGN);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", argv[1]);
	umask(0177);
	unlink(argv[1]);
	if (s < 0 || bind(s, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(s, 8) < 0) {
		perror(argv[1]);
		return 71;
	}
	while ((fd = accept(s, NULL, NULL)) >= 0)
		answer(fd, bytes);
	return 0;
}
