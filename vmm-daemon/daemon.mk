# SPDX-License-Identifier: GPL-2.0-only
#
# The programs: part of Makefile, which defines everything used here.

WORKER_OBJS := $(addprefix $(O)/, worker.o serve.o sandbox.o confine.o daemon.o ops_stub.o)

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

$(O)/kvm-vmmd: $(O)/supervisor.o $(O)/confine.o $(O)/config.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml

$(O)/kvm-split-launcher: $(O)/launcher.o $(O)/confine.o $(O)/config.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml

CTL_OBJS := $(patsubst $(D)/%.c,$(O)/%.o,$(wildcard $(D)/ctl/*.c))
$(CTL_OBJS): $(O)/%.o: $(D)/%.c $(D)/flags.mk
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)$(hcc)

$(O)/kvm-splitctl: $(CTL_OBJS) $(O)/config.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml -ljansson

# KVM's counters for kvm_stat(1).
STATFS_OBJS := $(patsubst $(D)/%.c,$(O)/%.o,$(wildcard $(D)/statfs/*.c))
$(STATFS_OBJS): $(O)/%.o: $(D)/%.c $(D)/flags.mk
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)$(hcc) $(shell pkg-config --cflags fuse3)

$(O)/kvm-split-statfs: $(STATFS_OBJS) $(O)/ctl/host.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lfuse3 -ljansson

daemon: $(O)/kvm-split-statfs $(O)/kvm-splitctl $(O)/kvm-vmm $(O)/kvm-vmmd $(O)/kvm-split-launcher
