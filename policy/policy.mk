# SPDX-License-Identifier: GPL-2.0-only
#
# The policy service: part of vmm-daemon/Makefile, which defines everything used here.

P := $(ROOT)/policy

policy_objs = $(patsubst %,$(O)/policy/%.o,$(1))
POLICY_LIB := $(call policy_objs,policy wire/wire wire/message rules/file rules/rules rules/groups \
	arbiter/arbiter)
POLICYD_OBJS := $(patsubst $(P)/%.c,$(O)/policy/%.o,$(wildcard $(P)/policyd/*.c))

$(O)/policy/%.o: $(P)/%.c $(D)/flags.mk $(ROOT)/VERSION
	@mkdir -p $(@D)
	$(call say,HOSTCC)
	$(Q)$(hcc)

# The interface as a string of C.
$(INC)/policy_interface.h: $(P)/io.kvmsplit.Policy.varlink $(P)/policy.mk
	@mkdir -p $(@D)
	$(Q)sed 's/["\\]/\\&/g; s/.*/"&\\n"/' $< > $@
$(POLICYD_OBJS): $(INC)/filters.h $(INC)/policy_interface.h

$(O)/kvm-split-policyd: $(POLICYD_OBJS) $(POLICY_LIB) \
		$(call common,backoff confine config daemon members options proc spawn yaml_file)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -lyaml -ljansson

# What libvirt calls.
$(O)/kvm-split-libvirt-hook: $(call policy_objs,hook/hook hook/domain policy wire/wire wire/message \
		wire/client) $(call common,backoff daemon options)
	$(call say,LINK)
	$(Q)$(CC) -pie -o $@ $^ -Wl,-z,now -Wl,-z,noexecstack -ljansson -lexpat

daemon: $(O)/kvm-split-policyd $(O)/kvm-split-libvirt-hook
