# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# In the machine, for the settings beside this one. What lives through all of them,
# both user1's and in the control group "vm": a QEMU whose guest looks whether its
# memory is what it wrote (tests/inguest/mem.c), and a kvmtiny that is kicked.
#
# A setting is a file with
#   setup	makes the host so
#   holds	what must hold then; ends at the first command that fails, and its last line is shown.
#		Afterwards both must still live
#   undo	the host as before
# and in its comment, where needed, "append: WORDS" for the kernel's command line, "split
# only" if in-tree KVM has nothing of the kind, "in-tree: REASON" if it does not hold there,
# and "slow" if it takes so long that make check leaves it to make check-hosts.

# shellcheck source=tests/guests/lib.sh
. /tests/guests.sh

cg=/sys/fs/cgroup

# as USER COMMAND...: a program, so that it can be given to others
# shellcheck disable=SC2016
printf '#!/bin/sh\nu=$1\nshift\nexec /usr/bin/setpriv --reuid "$u" --regid "$u" --init-groups -- "$@"\n' > /bin/as
chmod 755 /bin/as

# in_group NAME COMMAND...: in that control group
in_group()
{
	g=$cg/$1/cgroup.procs
	shift
	# shellcheck disable=SC2016
	sh -c 'echo $$ > "$0"; exec "$@"' "$g" "$@"
}

# refused ERROR COMMAND...: kvmtiny says that /dev/kvm is not for it
refused()
{
	e=$1
	shift
	if "$@" > "$work/refused" 2>&1; then
		echo "not refused: $*"
		return 1
	fi
	grep -q "m->kvm >= 0 (errno $e)" "$work/refused" || { cat "$work/refused"; return 1; }
}

# The launcher reads its configuration again.
reload()
{
	[ -e /dev/kvm-split ] || return 0
	kill -HUP "$(pidof kvm-split-launcher)"
	sleep 1
}

# A worker for the next client that was started under the setting.
fresh()
{
	as user1 kvmtiny hello
	sleep 1
}

# The processes behind a client: none in-tree.
worker_of() { [ ! -e /dev/kvm-split ] || kvm-splitctl list | awk -v c="$1" '$3 == c { print $1 }'; }

counted() { tr -d ' ' < "$work/count"; }
counts_on() { [ "$(counted)" -gt "$1" ] 2> /dev/null; }
rounds_on() { [ "$(last qemu)" -gt "$1" ] 2> /dev/null; }
# clients_of TEST: the processes of "kvmtiny TEST"
clients_of()
{
	for p in $(pidof kvmtiny); do
		if tr '\0' ' ' < "/proc/$p/cmdline" | grep -q "^kvmtiny $1 "; then
			echo "$p"
		fi
	done
}
tiny() { clients_of count; }
qemu() { pidof qemu-system-x86_64; }

# lives: both go on from here, and what the guest reads is right
lives()
{
	a=$(counted)
	b=$(last qemu)
	until_ok 30 counts_on "$a" > /dev/null || { echo "kvmtiny stands still: $(cat "$work/count.err")"; return 1; }
	until_ok 60 rounds_on "$((b + 2))" > /dev/null || { echo "QEMU's guest stands still: $(tail -n 2 "$work/qemu.err")"; return 1; }
	not has qemu BAD
	[ "$(said qemu | grep -c '=== guest begin ===')" = 1 ]
}

# Both, those that are gone anew.
clients()
{
	if [ ! -e "$work/count" ] || [ -z "$(tiny)" ]; then
		echo 0 > "$work/count"
		in_group vm as user1 kvmtiny count > "$work/count" 2> "$work/count.err" &
		until_ok 20 counts_on 0
	fi
	if [ "${1:-}" = anew ] || [ ! -e "$work/qemu.in" ] || gone qemu; then
		echo $$ > $cg/vm/cgroup.procs
		vm qemu mem ''
		echo $$ > $cg/cgroup.procs
		says qemu '^mem: 1 ok' 120
	fi
}

begin()
{
	chmod 1777 /tmp
	echo '+cpu +memory +pids' > $cg/cgroup.subtree_control
	mkdir $cg/vm $cg/daemons
	for p in $(pidof kvm-split-launcher kvm-vmmd kvm-vmm); do
		echo "$p" > $cg/daemons/cgroup.procs
	done
	echo 192M > /sys/block/zram0/disksize
	mkswap /dev/zram0 > /dev/null
	swapon /dev/zram0
	clients || { cat "$work/count.err"; exit 1; }
}

setting()
{
	undo() { :; }
	setup() { :; }
	# shellcheck disable=SC1090
	. "/tests/settings/$1"
	whole() { setup; holds; lives; }
	check "$1" whole
	undo > /dev/null 2>&1
	(set -e; lives) > /dev/null 2>&1 || clients anew
}

begin
for s in /tests/settings/*; do
	setting "${s##*/}"
done
killall -9 kvmtiny qemu-system-x86_64
exit 0
