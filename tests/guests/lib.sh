# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# In the machine, for the scripts beside this one.

# shellcheck source=tests/results.sh
. /tests/results.sh

as=user1
chmod 1777 "$work"
ip link set lo up

# vm NAME [INITRD] WORDS [OPTION...]: QEMU, an ordinary user's ($as), with the small
# guest behind it; "said NAME" is its console, "ask NAME COMMAND" its monitor.
vm()
{
	name=$1
	initrd=$2
	words=$3
	shift 3
	# After a check that failed.
	[ ! -e "$work/$name.in" ] || gone "$name" || quit "$name"
	rm -f "$work/$name".*
	[ -z "$initrd" ] || set -- -initrd "/vm/$initrd" "$@"
	mkfifo -m 666 "$work/$name.in" "$work/$name.out"
	cat "$work/$name.out" > "$work/$name.mon" &
	(
		/usr/bin/setpriv --reuid "$as" --regid "$as" --groups kvm -- qemu-system-x86_64 -accel "${accel:-kvm}" -cpu host -m 96 \
			-display none -nodefaults -no-reboot -serial "file:$work/$name.log" \
			-chardev "pipe,id=mon,path=$work/$name" -mon chardev=mon,mode=readline \
			-kernel /vm/bzImage -append "console=ttyS0 quiet panic=-1 $words" \
			"$@" > "$work/$name.err" 2>&1
		echo $? > "$work/$name.status"
	) &
}

said() { [ ! -e "$work/$1.log" ] || tr -d '\r' < "$work/$1.log"; }
has() { said "$1" | grep -q "$2"; }
# not COMMAND...: "! COMMAND" alone would not stop a check
not() { if "$@"; then echo "unexpected: $*"; return 1; fi; }
# says NAME LINE SECONDS
says()
{
	until_ok "${3:-60}" has "$1" "$2" > /dev/null || {
		said "$1" | tail -n 3
		cat "$work/$1.err"
		echo "the guest does not say '$2'"
		return 1
	}
}
gone() { [ -e "$work/$1.status" ]; }
# ends NAME [SECONDS [STATUS]]: QEMU ends by itself
ends()
{
	until_ok "${2:-60}" gone "$1" || {
		quit "$1"
		return 1
	}
	[ "$(cat "$work/$1.status")" = "${3:-0}" ] || {
		cat "$work/$1.err"
		echo "status $(cat "$work/$1.status")"
		return 1
	}
}

prompts() { grep -ac '^(qemu) ' "$work/$1.mon"; }
prompted() { [ "$(prompts "$1")" -gt "$2" ]; }
# ask NAME COMMAND: what the monitor answers
ask()
{
	until_ok 30 prompted "$1" 0 > /dev/null
	before=$(prompts "$1")
	echo "$2" > "$work/$1.in"
	until_ok "${3:-60}" prompted "$1" "$before" > /dev/null || { echo "no answer to $2"; return 1; }
	tr -d '\r' < "$work/$1.mon" | awk -v n="$before" '/^\(qemu\) / { if (++seen > n) exit; next } seen == n'
}

quit()
{
	gone "$1" || echo quit > "$work/$1.in"
	until_ok 20 gone "$1" > /dev/null || pkill -9 -f "path=$work/$1 "
}

# The guest of tests/inguest/mem.c. last NAME: the last round that it is done with
last() { said "$1" | sed -n 's/^mem: \([0-9]*\) ok$/\1/p' | tail -n 1; }
# goes_on NAME AFTER [SECONDS]: the guest's rounds go on, and its memory is right
goes_on()
{
	on() { [ "$(last "$1")" -gt "$2" ] 2> /dev/null; }
	until_ok "${3:-60}" on "$1" "$(($2 + 20))" || { said "$1" | tail -n 3; cat "$work/$1.err"; return 1; }
	not has "$1" BAD
	# It went on from where it was.
	[ "$(said "$1" | sed -n 's/^mem: \([0-9]*\) ok$/\1/p' | head -n 1)" -le "$(($2 + 2))" ]
}
migrated() { ask "$1" 'info migrate' | grep -q '^Migration status: \(completed\|failed\)'; }
# migrate NAME URI [SECONDS]: to its end; how long it took
migrate()
{
	ask "$1" 'migrate_set_parameter max-bandwidth 1G' > /dev/null
	ask "$1" 'migrate_set_parameter downtime-limit 300' > /dev/null
	ask "$1" "migrate -d \"$2\"" > /dev/null
	until_ok "${3:-120}" migrated "$1"
	ask "$1" 'info migrate' > "$work/info"
	grep -q '^Migration status: completed' "$work/info" || { cat "$work/info"; return 1; }
	sed -n 's/^total time: //p; s/^downtime: /downtime /p' "$work/info" | tr '\n' ' '
}

# l1 NAME KERNEL WORDS [OPTION...]: a guest that is a host; its root disk is this
# machine's, read-only, its init tests/inguest/l1
l1()
{
	l1_name=$1
	l1_kernel=$2
	l1_words=$3
	shift 3
	sync
	chmod 644 /dev/sda
	export TMPDIR="$work"
	vm "$l1_name" '' "root=/dev/vda ro init=/tests/l1 $l1_words" -m 320 \
		-drive file=/dev/sda,if=virtio,format=raw,snapshot=on -kernel "/vm/$l1_kernel" "$@"
}
# t_client TEST: what a client of /dev/kvm in L1 said
t_client()
{
	has l1 "^$1: ok"
	said l1 | sed -n "s/^$1: ok//p"
}
t_linux()
{
	has l1 '^=== guest end ==='
	has l1 '^clock  *kvm-clock'
	has l1 '^l1: QEMU status 0$'
	said l1 | sed -n 's/^uptime  *//p'
}
t_end()
{
	has l1 '^l1: end$'
	[ "$(cat "$work/l1.status")" = 0 ]
	not has l1 'BUG:\|WARNING: CPU\|Oops\|Call Trace\|kvm.*error'
}
# l1_all NAME KERNEL WORDS [OPTION...]: clients in L1, and a Linux as L2
l1_all()
{
	what=$1
	shift
	l1 l1 "$@"
	ends l1 1500 || true
	{ cat "$work/l1.err"; said l1 | tail -n 60; } | sed 's/^/    /'
	for t in hello cpuid pio mmio memory signal timer; do
		check "$what: $t" t_client $t
	done
	check "$what: Linux as L2" t_linux
	check "$what: end" t_end
}
