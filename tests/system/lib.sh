# SPDX-License-Identifier: GPL-2.0-only
#
# What the system tests that run on a split host have in common. Sourced.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
me=$(basename "$0")
bed=$root/build/testbed
kernel=${KERNEL:-split}
if [ "$kernel" = stock ]; then
	echo "$me: needs a split kernel"
	exit 77
fi

# client NAME: build tests/client/NAME.c; prints the program's path
client()
{
	mkdir -p "$root/build/client"
	out=$root/build/client/$1
	${CC:-cc} -O2 -Wall -Wextra -static -pthread -I "$root/kvm-split" \
		-o "$out.$$" "$root/tests/client/$1.c"
	mv "$out.$$" "$out"
	echo "$out"
}

# testbed KERNEL ARG...: one run, named after the test
testbed()
{
	k=$1
	shift
	"$root/scripts/testbed" run --kernel "$k" --name "$me-$k" "$@"
}

fail()
{
	echo "$me: FAILED: $*"
	exit 1
}
