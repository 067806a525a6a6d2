# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# In the machine, for scripts that tests/two_kernels.py runs: a result is a line
# "RESULT<tab>name<tab>ok, FAILED or -<tab>what was seen".

tab=$(printf '\t')
work=$(mktemp -d)
chmod 711 "$work"

# check NAME COMMAND...: COMMAND stops at the first thing that fails; the last
# line it prints is what was seen.
check()
{
	checked=$1
	shift
	# Not within a condition: that would turn -e off.
	(set -e; "$@") > "$work/check" 2>&1
	if [ $? = 0 ]; then
		echo "RESULT$tab$checked${tab}ok$tab$(tail -n 1 "$work/check")"
	else
		echo "RESULT$tab$checked${tab}FAILED$tab$(grep -v '^$' "$work/check" | tail -n 3 | tr '\n' ' ')"
	fi
}

# What in-tree KVM has not, a worker or a tenant's limit.
check_split()
{
	if [ -e /dev/kvm-split ]; then
		check "$@"
	else
		echo "RESULT$tab$1$tab-$tab"
	fi
}

# until_ok SECONDS COMMAND...: waiting costs no wall time
until_ok()
{
	left=$(($1 * 2))
	shift
	while ! "$@"; do
		left=$((left - 1))
		[ $left -gt 0 ] || { echo "in vain: $*"; return 1; }
		sleep 0.5
	done
}

# equal WHAT GOT WANTED
equal()
{
	[ "$2" = "$3" ] || { echo "$1: '$2', expected '$3'"; return 1; }
}

# more WHAT A B: A > B
more()
{
	[ "$2" -gt "$3" ] || { echo "$1: $2, expected more than $3"; return 1; }
}
