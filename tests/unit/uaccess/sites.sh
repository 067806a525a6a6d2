#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# sites.sh TREE: in this kernel tree, the arguments of ioctls are reached by
# checked accessors only and guest memory by unchecked ones only. Compares all
# places with sites.expected; files that are not compiled are left out.

set -eu
here=$(cd "$(dirname "$0")" && pwd)
tree=${1:?usage: sites.sh TREE}
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT

find "$tree/virt/kvm" "$tree/arch/x86/kvm" -name '*.[ch]' |
	grep -v -E '/svm/|/guest_memfd|/xen|/sgx|/vfio' | sort |
	xargs awk -f "$here/sites.awk" | sort -u > "$tmp"
[ -s "$tmp" ] || { echo "sites.sh: nothing found below $tree"; exit 1; }
grep -v '^#' "$here/sites.expected" | sort -u | diff -u - "$tmp" || {
	echo "sites.sh: user-memory accesses changed; decide each, then update sites.expected"
	exit 1
}
echo "sites.sh: $(wc -l < "$tmp") places, all as expected"
