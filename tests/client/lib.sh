# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced; $root is the repository.

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
