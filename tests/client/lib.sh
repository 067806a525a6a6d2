# SPDX-License-Identifier: GPL-2.0-only
#
# Sourced; $root is the repository.

# client NAME: build tests/client/NAME.c and NAME_*.c there, or tests/inguest/NAME.c; prints the path
client()
{
	mkdir -p "$root/build/client"
	out=$root/build/client/$1
	src=$root/tests/client/$1
	[ -e "$src.c" ] || src=$root/tests/inguest/$1
	set -- "$src.c"
	for part in "${src}_"*.c; do
		[ ! -e "$part" ] || set -- "$@" "$part"
	done
	${CC:-cc} -O2 -Wall -Wextra -static -pthread -I "$root/kvm-split" \
		-o "$out.$$" "$@"
	mv "$out.$$" "$out"
	echo "$out"
}
