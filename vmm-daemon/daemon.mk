# SPDX-License-Identifier: GPL-2.0-only
#
# The programs: part of Makefile, which defines everything used here.

$(O)/kvm-vmm: $(addprefix $(O)/, worker.o serve.o sandbox.o daemon.o ops_stub.o) \
		$(LIBKVM) $(LDS)
	$(call say,LINK)
	$(Q)$(LINK_LIBKVM)

$(O)/kvm-vmmd: $(O)/supervisor.o $(O)/config.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml

$(O)/kvm-split-launcher: $(O)/launcher.o $(O)/config.o $(O)/daemon.o
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

daemon: $(O)/kvm-splitctl $(O)/kvm-vmm $(O)/kvm-vmmd $(O)/kvm-split-launcher
