/* SPDX-License-Identifier: GPL-2.0-only */
/* The suites of libkvm's test program, which main.c runs. */
#ifndef TEST_LIBKVM_SUITES_H
#define TEST_LIBKVM_SUITES_H

#include <check.h>

Suite *vcpu_suite(void);
Suite *nested_suite(void);
Suite *unstable_suite(void);	/* of a machine whose TSC is */

#endif /* TEST_LIBKVM_SUITES_H */
