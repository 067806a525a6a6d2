# SPDX-License-Identifier: GPL-2.0-only
#
# Each header alone, with the flags of those who include it: on top of
# vmm-daemon/Makefile, for these flags. SUITE is where results go.

include $(abspath $(dir $(lastword $(MAKEFILE_LIST))))/../../../vmm-daemon/Makefile

# For an assembler; in every kernel-side file before all else. libkvm/include/ is
# for headers of upstream's, which include it where they do.
NO_C	:= libkvm/missing.h personality/libc_names.h
ALL_H	:= $(filter-out $(NO_C), $(patsubst $(D)/%,%,$(wildcard $(D)/*/*.h)))
KERN_H	:= libkvm/backend.h personality/internal.h
HOST_H	:= $(filter-out $(KERN_H), $(ALL_H))
# Plain C for both sides.
BOTH_H	:= $(filter calls/% libkvm/% personality/% seam/%, $(HOST_H)) common/stats_page.h

.PHONY: headers
headers: $(KERN_H:%=$(SUITE)/%.kern) $(BOTH_H:%=$(SUITE)/%.kern) $(HOST_H:%=$(SUITE)/%.host)

$(SUITE)/%.kern: $(D)/% $(AUTOCONF) $(D)/flags.mk
	@mkdir -p $(@D)
	@echo '#include "$*"' | $(CC) $(KCFLAGS_LIBKVM) -DKBUILD_BASENAME='"h"' -DKBUILD_MODFILE='"h"' \
		-MMD -MP -MT $@ -MF $@.d -fsyntax-only -x c -
	@touch $@
$(SUITE)/%.host: $(D)/% $(D)/flags.mk
	@mkdir -p $(@D)
	@echo '#include "$*"' | $(CC) $(HOSTCFLAGS_LIBKVM) -MMD -MP -MT $@ -MF $@.d -fsyntax-only -x c -
	@touch $@

-include $(shell find $(SUITE) -name '*.d' 2>/dev/null)
