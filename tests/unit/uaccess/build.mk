# SPDX-License-Identifier: GPL-2.0-only
#
# The suite's rules on top of vmm-daemon/Makefile, for its flags and libkvm.o.
# Run in vmm-daemon/: dependency files hold paths relative to it.
# SUITE is where the suite's own objects go.

U := $(abspath $(dir $(lastword $(MAKEFILE_LIST))))
include $(U)/../../../vmm-daemon/Makefile

.PHONY: test
test: $(SUITE)/test_uaccess
	@$(U)/sites.sh $(KSRC)
	@$<

$(SUITE)/fixture.o: $(U)/fixture.c $(U)/fixture.h $(AUTOCONF)
	@mkdir -p $(@D)
	$(Q)$(CC) $(KCFLAGS_LIBKVM) -DKBUILD_BASENAME='"fixture"' \
		-DKBUILD_MODFILE='"fixture"' -c -o $@ $<

$(SUITE)/test_uaccess.o: $(U)/test_uaccess.c $(U)/fixture.h $(wildcard $(U)/../../../vmm-daemon/*/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOSTCFLAGS_LIBKVM) -Wno-missing-prototypes -c -o $@ $<

$(SUITE)/test_uaccess: LDLIBS_LIBKVM += -lcheck -lsubunit -lm -lrt
$(SUITE)/test_uaccess: $(SUITE)/test_uaccess.o $(SUITE)/fixture.o $(LIBKVM) $(LDS)
	$(Q)$(LINK_LIBKVM)
