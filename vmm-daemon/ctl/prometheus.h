/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef KSPLIT_PROMETHEUS_H
#define KSPLIT_PROMETHEUS_H

#include <jansson.h>
#include <stdio.h>

void prometheus_print(FILE *out, const json_t *facts);

#endif /* KSPLIT_PROMETHEUS_H */
