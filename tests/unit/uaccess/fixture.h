/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel-side half of the tests: accessors as KVM's objects use them.
 * Plain C.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

/* Checked: the client's arguments. */
unsigned long fx_copy_from_user(void *to, unsigned long from, unsigned long n);
unsigned long fx_copy_to_user(unsigned long to, const void *from,
			      unsigned long n);
long fx_get_user4(unsigned long from, unsigned int *val);
long fx_get_user8(unsigned long from, unsigned long *val);
long fx_put_user4(unsigned long to, unsigned int val);
long fx_put_user8(unsigned long to, unsigned long val);
/* 0 and the bytes in to, or a negative errno. */
long fx_memdup_user(void *to, unsigned long from, unsigned long n);

/* Unchecked: guest memory. */
unsigned long fx_raw_from(void *to, unsigned long from, unsigned long n);
unsigned long fx_raw_to(unsigned long to, const void *from, unsigned long n);
long fx_raw_get8(unsigned long from, unsigned long *val);
long fx_raw_get4(unsigned long from, unsigned int *val);
long fx_raw_put8(unsigned long to, unsigned long val);
long fx_unsafe_get8(unsigned long from, unsigned long *val);
long fx_unsafe_put8(unsigned long to, unsigned long val);
long fx_cmpxchg8(unsigned long at, unsigned long *old, unsigned long new);
long fx_nofault_to(unsigned long to, const void *from, unsigned long n);
long fx_rdmsr_safe(unsigned int msr);
long fx_divide(unsigned long by);

int fx_warn(int times);
void fx_bug(void);

/* Eventfds as irqfd and ioeventfd use them. */
void *fx_eventfd_get(int fd);		/* NULL on error */
void fx_eventfd_put(void *ctx);
void fx_eventfd_signal(void *ctx);
struct fx_irqfd;
struct fx_irqfd *fx_irqfd_assign(int fd);
/* Wake-ups with EPOLLIN so far, and the sum of what was read. */
unsigned long fx_irqfd_wakes(struct fx_irqfd *irqfd);
unsigned long fx_irqfd_sum(struct fx_irqfd *irqfd);
/* Wake-ups that began after deassign() had returned. */
unsigned long fx_irqfd_late(struct fx_irqfd *irqfd);
void fx_irqfd_deassign(struct fx_irqfd *irqfd);
void fx_irqfd_free(struct fx_irqfd *irqfd);

/* Files. */
int fx_file_create(const char *name);
int fx_file_released(void);

#endif /* FIXTURE_H */
