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
		/usr/bin/setpriv --reuid "$as" --regid "$as" --groups kvm -- qemu-system-x86_64 -accel kvm -cpu host -m 96 \
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
