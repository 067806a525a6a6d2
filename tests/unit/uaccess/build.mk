# SPDX-License-Identifier: GPL-2.0-only
#
# The suite's rules on top of vmm-daemon/Makefile, for its flags and libkvm.o.
# T is where the suite's own objects go.

U := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
include $(U)/../../../vmm-daemon/Makefile

.PHONY: test
test: $(T)/test_uaccess
	@$(U)/sites.sh $(KSRC)
	@$<

$(T)/fixture.o: $(U)/fixture.c $(U)/fixture.h $(AUTOCONF)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS_LIBKVM) -DKBUILD_BASENAME='"fixture"' \
		-DKBUILD_MODFILE='"fixture"' -c -o $@ $<

$(T)/test_uaccess.o: $(U)/test_uaccess.c $(U)/fixture.h
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTCFLAGS_LIBKVM) -Wno-missing-prototypes -c -o $@ $<

# The linker lets the program's definitions win over libc's in libcheck, too.
$(T)/libkvm.o: $(LIBKVM)
	$(Q)objcopy --redefine-sym timer_delete=ksplit_test_timer_delete \
		--redefine-sym sigprocmask=ksplit_test_sigprocmask $< $@

$(T)/test_uaccess: LDLIBS_LIBKVM += -lcheck -lsubunit -lm -lrt
$(T)/test_uaccess: $(T)/test_uaccess.o $(T)/fixture.o $(T)/libkvm.o
	$(Q)$(LINK_LIBKVM)
