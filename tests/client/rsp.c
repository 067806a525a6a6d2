// SPDX-License-Identifier: GPL-2.0-only
/*
 * rsp PORT ADDRESS: by GDB's remote protocol, a hardware breakpoint at ADDRESS
 * (hexadecimal) of a guest, and one step from there.  Prints "stopped at RIP",
 * "then at RIP"; leaves the guest running, without the breakpoint.
 */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *in;
static int sock;

/* A packet is "$data#sum", and acknowledged by '+'. */
static const char *receive(void)
{
	static char data[8192];
	size_t n = 0;
	int c;

	do {
		c = getc(in);
	} while (c != '$' && c != EOF);
	while ((c = getc(in)) != '#' && c != EOF && n < sizeof(data) - 1)
		data[n++] = c;
	data[n] = 0;
	if (c == EOF || getc(in) == EOF || getc(in) == EOF || write(sock, "+", 1) != 1) {
		fprintf(stderr, "rsp: no answer\n");
		exit(1);
	}
	return data;
}

/* The guest stops when somebody connects, and says so: "T05". */
static const char *call(const char *what, bool stops)
{
	const char *reply;
	unsigned char sum = 0;

	for (const char *p = what; *p; p++)
		sum += *p;
	if (dprintf(sock, "$%s#%02x", what, sum) < 0)
		exit(1);
	do {
		reply = receive();
	} while (!stops && *reply == 'T');
	return reply;
}

/* Register 16 of the "g" packet: eight bytes, the lowest first. */
static uint64_t rip(void)
{
	const char *regs = call("g", false);
	uint64_t v = 0;
	unsigned int byte;

	for (int i = 7; i >= 0; i--) {
		if (sscanf(regs + 2 * (16 * 8 + i), "%2x", &byte) != 1)
			exit(1);
		v = v << 8 | byte;
	}
	return v;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char set[64], clear[64];

	if (argc != 3)
		return 2;
	to.sin_port = htons(atoi(argv[1]));
	sock = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(sock, (struct sockaddr *)&to, sizeof(to))) {
		perror("rsp: connect");
		return 1;
	}
	in = fdopen(sock, "r");
	snprintf(set, sizeof(set), "Z1,%s,1", argv[2]);
	snprintf(clear, sizeof(clear), "z1,%s,1", argv[2]);
	if (strcmp(call(set, false), "OK")) {
		fprintf(stderr, "rsp: no breakpoint\n");
		return 1;
	}
	if (strncmp(call("c", true), "T05", 3))
		return 1;
	printf("stopped at %" PRIx64 "\n", rip());
	call(clear, false);
	call("s", true);
	printf("then at %" PRIx64 "\n", rip());
	call("D", false);
	return 0;
}
