# SPDX-License-Identifier: GPL-2.0-only
#
# kvm-split: see README.md; "make help" lists the targets. Everything made goes
# below build/.

# split, stock or debug
KERNEL ?= split
# SUITE: of the Debian hosts of check-virsh, check-deb and some of check, bookworm (12, default) or
# trixie (13); what deb makes packages for, default this machine's

VMM := $(MAKE) --no-print-directory -C vmm-daemon O=$(CURDIR)/build/vmm-daemon
HEAVY := scripts/heavy

export KERNEL SUITE

.DEFAULT_GOAL := help
.PHONY: help deps tree kernel kernels libkvm libkvm-stubs daemon image emulator demo check check-debug check-hosts check-virsh check-guests check-containment check-deb soak fuzz selftests check-selftests tcb bench install deb lint clean

help:
	@echo 'make deps      install the Debian packages that everything below needs'
	@echo 'make kernel    build the host kernel: KERNEL=split (default), stock or debug'
	@echo 'make libkvm    build upstream KVM as a user-space library'
	@echo 'make daemon    build the worker, the supervisor, the launcher and the policy service'
	@echo 'make image     make the root disk of the testbed'
	@echo 'make emulator  build the one with APIC virtualization (EMULATOR=3.0), which some tests use'
	@echo 'make demo      boot a guest in unmodified QEMU on the split kernel, and compare;'
	@echo '               KERNEL=stock: in-tree KVM; DEMO_APPEND=... : more words for its command line'
	@echo 'make check     run the unit tests and the system tests; TESTS=... : only those'
	@echo 'make check-debug   run some system tests on the debug kernel: lockdep, KASAN, UBSAN; TESTS=... : others'
	@echo 'make check-hosts   run all of tests/hosts/ on both kernels: settings of hosts and clients; SETTINGS=... : only those'
	@echo 'make check-virsh   run the tests of unmodified libvirt on a Debian, both kernels; SUITE=trixie: Debian 13'
	@echo 'make check-guests   run guests of all kinds on both kernels: SMP, devices, migration, nested'
	@echo 'make check-containment   put known flaws back into KVM, trigger them on both kernels; TESTS=... : only those'
	@echo 'make soak      a guest with four vCPUs on the split kernel for an hour of its time; SOAK=SECONDS'
	@echo 'make fuzz      fuzz what decodes hostile bytes (docs/fuzzing.md); TIME=SECONDS for each harness,'
	@echo '               60 by default; HARNESS=... : only those'
	@echo 'make check-selftests   run the kernel'\''s KVM selftests on both kernels; TESTS=... : only those'
	@echo 'make tcb       count the lines in ring 0; fails above the budget'
	@echo 'make bench     compare with in-tree KVM in instructions and modelled cycles'
	@echo 'make deb       Debian packages in build/deb: kernel and daemons; CONFIG=testbed: a small kernel;'
	@echo '               SUITE=trixie: for Debian 13'
	@echo 'make check-deb   install what make deb made in a Debian, boot that and use it; SUITE=trixie'
	@echo 'make install   install the daemons below DESTDIR'
	@echo 'make lint      static checks: shell, Python, C, headers, patches, commit messages'
	@echo 'make clean     remove everything built but the kernel trees'

deps:
	@scripts/setup

# The two kernel trees below build/.
tree: deps
	@scripts/prepare-tree

kernel: tree
	@scripts/build-kernel $(KERNEL)

# What demo and check compare: the kernel asked for, and in-tree KVM.
kernels: tree
	@scripts/build-kernel stock
	@[ '$(KERNEL)' = stock ] || scripts/build-kernel $(KERNEL)

libkvm: tree
	@$(HEAVY) $@ $(VMM) $@

# What libkvm leaves to stand-ins.
libkvm-stubs: tree
	@$(VMM) stubs

daemon: libkvm
	@$(HEAVY) $@ $(VMM) $@

image: deps
	@scripts/make-image
	@scripts/make-guest

emulator: deps
	@scripts/make-bochs

demo: kernels image
	@[ '$(KERNEL)' = stock ] || [ ! -e vmm-daemon/Makefile ] || $(MAKE) --no-print-directory daemon
	@scripts/demo

check: kernels image selftests
	@[ ! -e vmm-daemon/Makefile ] || $(MAKE) --no-print-directory daemon
	@tests/run $(TESTS)

# Those that reach most of the stub; not in CI, see docs/HACKING.md.
DEBUG_TESTS := clean-log clients front hostile memory no-launcher
check-debug:
	@$(MAKE) --no-print-directory KERNEL=debug check TESTS='$(or $(TESTS),$(DEBUG_TESTS))'

check-hosts: kernels image
	@$(MAKE) --no-print-directory daemon
	@KERNELS='$(or $(KERNELS),stock split)' SETTINGS='$(or $(SETTINGS),all)' tests/system/hosts

check-virsh: kernels image
	@$(MAKE) --no-print-directory daemon
	@tests/virsh/run $(TESTS)

check-guests: kernels image
	@$(MAKE) --no-print-directory daemon
	@tests/guests/run $(TESTS)

# In-tree KVM and libkvm with the flaws are built below build/flawed.
check-containment: kernels image selftests
	@$(MAKE) --no-print-directory daemon
	@tests/containment/trees
	@scripts/build-kernel flawed
	@$(HEAVY) flawed-daemon $(MAKE) --no-print-directory -C vmm-daemon O=$(CURDIR)/build/flawed/vmm-daemon \
		KSRC=$(CURDIR)/build/flawed/linux-split KCONF=$(CURDIR)/build/kconf-libkvm libkvm daemon
	@tests/containment/run $(TESTS)

soak: kernels image
	@$(MAKE) --no-print-directory daemon
	@KERNELS=split tests/guests/run soak

fuzz: tree
	@$(MAKE) --no-print-directory -C tests/fuzz O=$(CURDIR)/build/fuzz fuzz

check-deb: kernels image
	@scripts/make-debian-image installed
	@tests/run installed

selftests: tree
	@$(HEAVY) $@ $(MAKE) --no-print-directory -C tests/selftests O=$(CURDIR)/build/selftests

check-selftests: kernels image selftests
	@$(MAKE) --no-print-directory daemon
	@tests/selftests/run $(TESTS)

tcb: deps
	@scripts/tcb

bench: kernels image
	@[ ! -e vmm-daemon/Makefile ] || $(MAKE) --no-print-directory daemon
	@tests/bench/run

lint: tree
	@scripts/lint

# Where the programs go, and what is read or shown with them. DAEMONS: where they were built.
DAEMONS ?= build/vmm-daemon
install:
	install -d $(DESTDIR)/usr/libexec/kvm-split $(DESTDIR)/usr/bin $(DESTDIR)/etc/kvm-split/tenants.d
	install $(addprefix $(DAEMONS)/, kvm-split-launcher kvm-vmmd kvm-vmm kvm-split-statfs \
		kvm-split-policyd kvm-split-libvirt-hook) $(DESTDIR)/usr/libexec/kvm-split/
	install $(DAEMONS)/kvm-splitctl $(DESTDIR)/usr/bin/
	install -m 644 scripts/etc/kvm-split.conf scripts/etc/policy.conf $(DESTDIR)/etc/kvm-split/
	install -D scripts/etc/libvirt-hook $(DESTDIR)/etc/libvirt/hooks/qemu.d/kvm-split
	install -D -m 644 -t $(DESTDIR)/usr/share/kvm-split policy/io.kvmsplit.Policy.varlink
	install -D -m 644 -t $(DESTDIR)/lib/systemd/system $(wildcard scripts/units/*.service scripts/units/*.socket)
	install -D -m 644 -t $(DESTDIR)/usr/share/man/man1 docs/man/kvm-splitctl.1
	install -D -m 644 -t $(DESTDIR)/usr/share/man/man5 $(wildcard docs/man/*.5)
	install -D -m 644 -t $(DESTDIR)/usr/share/man/man8 $(wildcard docs/man/*.8)
	install -D -m 644 -t $(DESTDIR)/usr/share/doc/kvm-split docs/grafana.json
	install -D -m 644 -t $(DESTDIR)/usr/share/bash-completion/completions scripts/completion/kvm-splitctl

deb: daemon
	@scripts/make-deb

clean:
	@find build -mindepth 1 -maxdepth 1 ! -name 'linux-*' -exec rm -rf {} +
