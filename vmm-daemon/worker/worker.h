/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Between the worker's own files.
 */
#ifndef KSPLIT_WORKER_H
#define KSPLIT_WORKER_H

/* serve.c */
void serve_session(int session) __attribute__((noreturn));

/* ask.c */
void ask_use(int fd, unsigned int what);
void ask_ready(void);
int ask_vcpu(void);
void ask_vcpu_gone(void);

/* sandbox.c */
void sandbox_close_others(int keep1, int keep2);
int sandbox_prepare(void);
int sandbox_enter(void);

#endif /* KSPLIT_WORKER_H */
