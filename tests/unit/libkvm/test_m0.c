// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkvm on the fake machine, first life: initialisation, VM, vCPU, exits.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "libkvm/libkvm.h"
#include "ops_fake.h"

#define EXIT_CPUID		10
#define EXIT_HLT		12
#define EXIT_IO			30
#define EXIT_EPT_VIOLATION	48

#define GUEST_PHYSICAL	0x2400
#define GUEST_RIP	0x681e

static struct client_vm vm;
static struct client_vcpu vcpu;
static void *ram;

#define RAM_SIZE	(4ul << 20)

static void setup(void)
{
	client_create_vm(&vm);
	ram = client_add_slot(&vm, 0, 0, RAM_SIZE, 0);
	client_create_vcpu(&vm, 0, &vcpu);
	client_real_mode(&vcpu, 0x1000);
}

static void teardown(void)
{
	struct fake_stats stats;

	client_close(vcpu.handle);
	client_close(vm.handle);
	fake_get_stats(&stats);
	ck_assert_uint_eq(stats.objects, 0);
}

START_TEST(test_api_version)
{
	ck_assert_int_eq(kvm_call(0, KVM_GET_API_VERSION, 0), KVM_API_VERSION);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_IRQCHIP), 1);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_COALESCED_MMIO), 0);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_DIRTY_LOG_RING), 0);
	ck_assert_int_eq(kvm_call(0, KVM_CHECK_EXTENSION, KVM_CAP_XEN_HVM), 0);
}
END_TEST

START_TEST(test_params)
{
	static char buf[4096];

	ck_assert_int_gt(ksplit_param_get("ept", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("nested", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("unrestricted_guest", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "Y\n");
	ck_assert_int_gt(ksplit_param_get("nx_huge_pages", buf, sizeof(buf)), 0);
	ck_assert_str_eq(buf, "never\n");
	ck_assert_int_lt(ksplit_param_get("no_such", buf, sizeof(buf)), 0);
}
END_TEST

static void guest_out(struct fake_entry *e, void *arg)
{
	switch (e->entry) {
	case 0:
		e->run->regs[0] = 'A';
		fake_exit(e, EXIT_IO, 0x3f8ull << 16, 1);
		break;
	default:
		fake_exit(e, EXIT_HLT, 0, 1);
	}
}

START_TEST(test_io_and_hlt)
{
	fake_set_guest(vcpu.fd, guest_out, NULL);
	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_IO);
	ck_assert_uint_eq(vcpu.run->io.port, 0x3f8);
	ck_assert_uint_eq(vcpu.run->io.direction, KVM_EXIT_IO_OUT);
	ck_assert_uint_eq(vcpu.run->io.size, 1);
	ck_assert_int_eq(((char *)vcpu.run)[vcpu.run->io.data_offset], 'A');

	ck_assert_int_eq(client_run(&vcpu), 0);
	ck_assert_uint_eq(vcpu.run->exit_reason, KVM_EXIT_HLT);
}
END_TEST

static Suite *suite(void)
{
	Suite *s = suite_create("libkvm");
	TCase *t;

	t = tcase_create("system");
	tcase_add_test(t, test_api_version);
	tcase_add_test(t, test_params);
	suite_add_tcase(s, t);

	t = tcase_create("exits");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_io_and_hlt);
	suite_add_tcase(s, t);
	return s;
}

int main(void)
{
	SRunner *sr = srunner_create(suite());
	int failed;

	/* One process: libkvm's threads do not survive a fork. */
	srunner_set_fork_status(sr, CK_NOFORK);
	client_start();
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
