# SPDX-License-Identifier: GPL-2.0-only
#
# What the suites' Makefiles have in common: include it first. A program test_X is
# built from test_X.c and the .c files that its own line names, with Check, under the
# address and undefined-behaviour sanitizers.
#
#	O	where the suite's objects go; here T, absolute
#	VMM_O	where libkvm and the daemons are built
#	LIBS	for the linker; a test may have more

ROOT	:= $(abspath $(dir $(lastword $(MAKEFILE_LIST)))/../..)
D	:= $(ROOT)/vmm-daemon
T	:= $(abspath $(or $(O),$(ROOT)/build/unit/$(notdir $(CURDIR))))
VMM_O	?= $(ROOT)/build/vmm-daemon
override VMM_O := $(abspath $(VMM_O))

CFLAGS ?= -O1 -g
override CFLAGS += -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror \
	-fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all \
	-I$(D) -I$(ROOT) $(shell pkg-config --cflags check)
LIBS	:= $(shell pkg-config --libs check)

.PHONY: check

$(T)/test_%: test_%.c $(wildcard *.h ../*.h $(D)/*/*.h) Makefile ../flags.mk
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) -o $@ $(filter %.c,$^) $(LIBS)
