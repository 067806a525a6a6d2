# SPDX-License-Identifier: GPL-2.0-only
#
# The programs: part of Makefile, which defines everything used here.

$(O)/kvm-vmm: $(addprefix $(O)/, worker.o serve.o sandbox.o daemon.o ops_stub.o) \
		$(LIBKVM) $(LDS)
	$(call say,LINK)
	$(Q)$(LINK_LIBKVM) -lseccomp

$(O)/kvm-vmmd: $(O)/supervisor.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack

$(O)/kvm-split-launcher: $(O)/launcher.o $(O)/daemon.o
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack

daemon: $(O)/kvm-vmm $(O)/kvm-vmmd $(O)/kvm-split-launcher
