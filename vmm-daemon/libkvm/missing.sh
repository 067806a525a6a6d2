#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# missing.sh SCRIPT all.o LIBS...: the symbols that all.o needs and nobody defines, one
# a line: "func NAME" when it is called somewhere, else "data NAME".

set -eu
lds=$1 all=$2
shift 2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

echo 'int main(void) { return 0; }' > "$tmp/main.c"
# The linker names every reference; the sort keeps one of each symbol.
gcc -pie -o "$tmp/probe" "$tmp/main.c" "$all" "$@" \
	-Wl,-T,"$lds" -Wl,--warn-unresolved-symbols 2>&1 |
	sed -n "s/.*undefined reference to \`\([^']*\)'.*/\1/p" | sort -u > "$tmp/undef"
readelf -rW "$all" | awk '$3 == "R_X86_64_PLT32" { print $5 }' | sort -u > "$tmp/called"
# Any other reference counts as data: a stand-in must never be read as data.
comm -12 "$tmp/undef" "$tmp/called" | sed 's/^/func /'
comm -23 "$tmp/undef" "$tmp/called" | sed 's/^/data /'
