/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program's command line out of an input, and a way back from its exit().  The
 * Makefile wraps the functions that end a program, or print.
 */
#ifndef TESTS_FUZZ_COMMAND_LINE_H
#define TESTS_FUZZ_COMMAND_LINE_H

#include <getopt.h>
#include <setjmp.h>

#include "fuzz.h"

#define MAX_WORDS	40

static jmp_buf ended;
static bool parsing;
static char *words[MAX_WORDS + 2];
static int nr_words;

static inline void take_words(struct input *in, char *program)
{
	words[0] = program;
	for (nr_words = 1; in->left && nr_words <= MAX_WORDS; nr_words++)
		words[nr_words] = take_string(in);
	words[nr_words] = NULL;
	/* From the beginning, and in silence. */
	optind = opterr = 0;
}

static inline void free_words(char *const *taken, int nr)
{
	for (int i = 1; i < nr; i++)
		free(taken[i]);
}

void __real_exit(int status);
void __wrap_exit(int status);
void __wrap_die(int status, const char *fmt, ...);
void __wrap_common_option(int option, const char *program, const char *usage);
void __wrap_logm(int level, const char *fmt, ...);

/* The fuzzer itself ends, too. */
void __wrap_exit(int status)
{
	if (!parsing)
		__real_exit(status);
	longjmp(ended, 1);
}

void __wrap_die(int status, const char *fmt, ...)
{
	HOLDS(status > 0 && status < 128);
	longjmp(ended, 1);
}

void __wrap_common_option(int option, const char *program, const char *usage)
{
	longjmp(ended, 1);
}

void __wrap_logm(int level, const char *fmt, ...)
{
}

#endif /* TESTS_FUZZ_COMMAND_LINE_H */
