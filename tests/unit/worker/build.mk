# SPDX-License-Identifier: GPL-2.0-only
#
# The suite's rules on top of vmm-daemon/Makefile, for its flags and libkvm.o.
# Run in vmm-daemon/: dependency files hold paths relative to it.
# SUITE is where the suite's own objects go.

U := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
include $(U)/../../../vmm-daemon/Makefile

.PHONY: test
test: $(SUITE)/test_worker
	@GLIBC_TUNABLES=glibc.pthread.rseq=0 $<

$(SUITE)/%.o: $(U)/%.c $(U)/front.h $(wildcard $(U)/../../../vmm-daemon/*/*.h) \
		$(U)/../../../kvm-split/uapi/kvm_split.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTCFLAGS_LIBKVM) -c -o $@ $<

$(SUITE)/test_worker: LDLIBS_LIBKVM += $(shell pkg-config --libs check)
$(SUITE)/test_worker: $(SUITE)/test_worker.o $(SUITE)/front.o $(O)/worker/ask.o $(O)/worker/serve.o \
		$(O)/worker/sandbox.o $(call common,confine daemon) \
		$(LIBKVM) $(LDS)
	$(Q)$(LINK_LIBKVM) -Wl,--wrap=fcntl
