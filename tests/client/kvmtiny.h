/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of kvmtiny have in common: a VM with one vCPU, guests that more than
 * one of them runs, and the tests of all.
 */
#ifndef KVMTINY_H
#define KVMTINY_H

#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../../vmm-daemon/common/array_size.h"

#define RAM_SIZE	(2u << 20)
#define CODE		0x1000u

extern const char *test;	/* the name of the one that runs */
extern char **words;		/* what follows it */

#define CHECK(cond)							\
	do {								\
		if (!(cond)) {						\
			printf("%s: FAILED at %s:%d: %s (errno %d)\n",	\
			       test, __FILE_NAME__, __LINE__, #cond, errno); \
			exit(1);					\
		}							\
	} while (0)

struct vm {
	int kvm, vm, vcpu;
	uint8_t *ram;
	struct kvm_run *run;
	size_t run_size;
};

/* What a test wants to do between any two calls. */
extern void (*between)(void);
void called(void);

void vm_create(struct vm *m);
void vm_open(struct vm *m);
/* RAM at 0, with the guest's code. */
void vm_memory(struct vm *m, const void *code, size_t len);
/* RAM ends at SIZE, which is below RAM_SIZE: memory there is none of the guest's. */
void vm_shrink(struct vm *m, uint64_t size);
/* A vCPU in real mode at CODE. */
void vm_vcpu(struct vm *m, unsigned long id);
void vm_start(struct vm *m, const void *code, size_t len);
void vm_close(struct vm *m);
int vm_run(struct vm *m);
/* To an exit, though the client is frozen, stopped or traced meanwhile: all of these interrupt. */
int run_through(struct vm *m);

/* Handler of a signal that is to interrupt. */
void wake(int sig);
/* As a thread. */
void *run_for_ever(void *arg);

/* To three exits of port I/O, and HLT. */
extern const uint8_t hello_code[11];
void run_hello(struct vm *m);
/* Writes to each page from 0x2000 to 0xeffff. */
extern const uint8_t write_pages[20];

#define TOUCHED		0x2000u		/* first of the pages */
#define TOUCHED_END	0xf0000u
/* A guest that writes each page from TOUCHED on, tells the client, and again. */
void touch_start(struct vm *m);
/* One round, of pages that the client has given back. */
void touch(struct vm *m);

/* The one line that those rewrite who go on for ever. */
void print_count(unsigned long n);
/* The CPUID that KVM supports, and a TSC-deadline timer. */
void set_cpuid(const struct vm *m);
/* vCPU ID of a VM with the in-kernel irqchip, at one of the guests. */
void irqchip_vcpu(struct vm *m, unsigned int id, const uint8_t *guest, unsigned long n,
		  uint32_t esi);
void irqchip_vm(struct vm *m);
/* Until the guest's OUT to a port. */
void run_to(struct vm *m, unsigned int port_no);

/* kvmtiny_exits.c */
void test_hello(unsigned long n);
void test_cpuid(unsigned long n);
void test_pio(unsigned long n);
void test_mmio(unsigned long n);
void test_clock(unsigned long n);
void test_step(unsigned long n);
void test_session(unsigned long n);
void test_signal(unsigned long n);
void test_deaf(unsigned long n);
void test_triple(unsigned long n);
void test_timer(unsigned long n);
void test_bad(unsigned long n);
void test_msrs(unsigned long n);
void test_features(unsigned long n);
void test_specctrl(unsigned long n);
void test_names(unsigned long n);
void test_msr(unsigned long n);

/* kvmtiny_rings.c */
void test_coalesced(unsigned long n);
void test_ring(unsigned long n);
void test_hole(unsigned long n);

/* kvmtiny_irq.c */
void test_port(unsigned long n);
void test_tick(unsigned long n);
void test_due(unsigned long n);
void test_self(unsigned long n);
void test_ipi(unsigned long n);
void test_masked(unsigned long n);
void test_flood(unsigned long n);
void test_rest(unsigned long n);
void test_irq(unsigned long n);
void test_tpr(unsigned long n);
void test_cr8(unsigned long n);
void test_lines(unsigned long n);
void test_count(unsigned long n);

/* kvmtiny_bells.c */
void test_bells(unsigned long n);
void test_bellpio(unsigned long n);
void test_bellmmio(unsigned long n);

/* kvmtiny_mem.c */
void test_memory(unsigned long n);
void test_file(unsigned long n);
void test_touch(unsigned long n);
void test_nodes(unsigned long n);
void test_uffd(unsigned long n);
void test_stale(unsigned long n);
void test_paused(unsigned long n);
void test_interrupt(unsigned long n);
void test_poison(unsigned long n);
void test_churn(unsigned long n);

/* kvmtiny_host.c */
void test_spin(unsigned long n);
void test_burn(unsigned long n);
void test_life(unsigned long n);
void test_share(unsigned long n);
void test_passed(unsigned long n);
void test_balance(unsigned long n);

/* kvmtiny_flaws.c */
void test_pusha(unsigned long n);
void test_tmcct(unsigned long n);
void test_ioapic(unsigned long n);
void test_rtcmap(unsigned long n);
void test_synic(unsigned long n);
void test_emulated(unsigned long n);
void test_pitzero(unsigned long n);
void test_farring(unsigned long n);
void test_latechip(unsigned long n);
void test_clockend(unsigned long n);
void test_gsbase(unsigned long n);

#endif /* KVMTINY_H */
