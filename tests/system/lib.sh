# SPDX-License-Identifier: GPL-2.0-only
#
# What the system tests that run on a split host have in common. Sourced.

set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
me=$(basename "$0")
bed=$root/build/testbed
kernel=${KERNEL:-split}
# The Debian of tests that want one: the testbed looks at SUITE, too.
suite=${SUITE:-bookworm}
. "$root/tests/client/lib.sh"
if [ "$kernel" = stock ]; then
	echo "$me: needs a split kernel"
	exit 77
fi

# testbed KERNEL ARG...: one run, named after the test; the jobs are in /jobs/
testbed()
{
	k=$1
	shift
	"$root/scripts/testbed" run --kernel "$k" --name "$me-$k" --add "$root/tests/system/jobs:/jobs" \
		--add "$root/tests/results.sh:/jobs/results.sh" "$@"
}

fail()
{
	echo "$me: FAILED: $*"
	exit 1
}
