/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What harnesses share: values taken off an input one after the other, and the
 * assertion of a property.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A property that does not hold is a crash, whose input libFuzzer keeps. */
#define HOLDS(x)							\
	do {								\
		if (!(x)) {						\
			fprintf(stderr, "%s:%d: property broken: %s\n",	\
				__FILE__, __LINE__, #x);		\
			abort();					\
		}							\
	} while (0)
#define EQ(a, b)	HOLDS((a) == (b))

/* Loops over everything: libFuzzer would count each of their comparisons, slowly. */
#define UNCOUNTED	__attribute__((no_sanitize("coverage")))
#define UNCOUNTED_BEGIN	_Pragma("clang attribute push(UNCOUNTED, apply_to = function)")
#define UNCOUNTED_END	_Pragma("clang attribute pop")

/**
 * struct input - what is left of a fuzzer's input
 * @at:		the next byte
 * @left:	how many there are
 */
struct input {
	const uint8_t *at;
	size_t left;
};

/* Bytes; zeros where the input has ended. */
static inline void take(struct input *in, void *to, size_t size)
{
	size_t n = size < in->left ? size : in->left;

	memset(to, 0, size);
	if (!n)
		return;
	memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

/* A number of @size bytes, 8 at most. */
static inline uint64_t take_number(struct input *in, size_t size)
{
	uint64_t n = 0;

	take(in, &n, size);
	return n;
}

/* A string, up to a NUL or the input's end, in memory of exactly its size. */
static inline char *take_string(struct input *in)
{
	size_t n = in->left ? strnlen((const char *)in->at, in->left) : 0;
	char *s = malloc(n + 1);

	HOLDS(s);
	take(in, s, n);
	s[n] = '\0';
	/* Its NUL. */
	take_number(in, in->left ? 1 : 0);
	return s;
}

/* libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* TESTS_FUZZ_H */
