# SPDX-License-Identifier: GPL-2.0-only
#
# The programs: part of Makefile, which defines everything used here.

# A program is its folder's objects, and those of common/ that it names.
objs_of = $(call obj,$(wildcard $(D)/$(1)/*.c))
common	= $(patsubst %,$(O)/common/%.o,$(1))

include $(ROOT)/policy/policy.mk

WORKER_OBJS := $(call objs_of,worker) $(call common,confine daemon options)

# Static: a worker starts where there is no file, and in fewer instructions.
$(O)/kvm-vmm $(O)/tests/kvm-vmm-tries: PIE := -static-pie
$(O)/kvm-vmm $(O)/tests/kvm-vmm-tries: LDLIBS_LIBKVM := -lurcu-memb -lurcu-common -lpthread
$(O)/kvm-vmm: $(WORKER_OBJS) $(LIBKVM) $(LDS)
	$(call say,LINK)
	$(Q)$(LINK_LIBKVM)

# For tests/system/confinement: tries to break out instead of serving.
$(O)/tests/confined.o: $(ROOT)/tests/client/confined.c $(D)/flags.mk
	@mkdir -p $(@D)
	$(Q)$(hcc) -DIN_WORKER
$(O)/tests/kvm-vmm-tries: $(WORKER_OBJS) $(O)/tests/confined.o $(LIBKVM) $(LDS)
	$(call say,LINK)
	$(Q)$(LINK_LIBKVM) -Wl,--wrap=serve_session,--wrap=confine_calls

$(O)/kvm-vmmd: $(call objs_of,supervisor) $(call policy_objs,policy wire/wire wire/message) \
		$(call common,backoff confine config daemon options spawn yaml_file)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml -ljansson

$(O)/kvm-split-launcher: $(call objs_of,launcher) $(call common,backoff confine config daemon members options spawn yaml_file)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml -lkmod

CTL_OBJS := $(call objs_of,ctl)
$(CTL_OBJS): $(O)/%.o: $(D)/%.c $(D)/flags.mk $(ROOT)/VERSION
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)$(hcc)

$(O)/kvm-splitctl: $(CTL_OBJS) $(POLICY_LIB) $(call policy_objs,wire/client) \
		$(call common,backoff config daemon members options proc yaml_file)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml -ljansson

# KVM's counters, for kvm_stat(1) and as metrics.
$(O)/kvm-splitctl: $(O)/statfs/counters.o
STATFS_OBJS := $(call objs_of,statfs)
$(STATFS_OBJS): $(O)/%.o: $(D)/%.c $(D)/flags.mk $(ROOT)/VERSION
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)$(hcc) $(shell pkg-config --cflags fuse3)

$(O)/kvm-split-statfs: $(STATFS_OBJS) $(O)/ctl/host.o $(O)/ctl/text.o $(call common,daemon options proc)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lfuse3 -ljansson

daemon: $(O)/kvm-split-statfs $(O)/kvm-splitctl $(O)/kvm-vmm $(O)/kvm-vmmd $(O)/kvm-split-launcher
