# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced; $root is the repository.

# client NAME: build tests/client/NAME.c or tests/inguest/NAME.c; prints the program's path
client()
{
	mkdir -p "$root/build/client"
	out=$root/build/client/$1
	src=$root/tests/client/$1.c
	[ -e "$src" ] || src=$root/tests/inguest/$1.c
	${CC:-cc} -O2 -Wall -Wextra -static -pthread -I "$root/kvm-split" \
		-o "$out.$$" "$src"
	mv "$out.$$" "$out"
	echo "$out"
}
