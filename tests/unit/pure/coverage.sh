#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# coverage.sh DIR FILE...: what the tests in DIR, built with --coverage, execute of the
# FILEs: lines, and directions of branches taken. Fails below the floor, in percent.

set -eu

line_floor=98
branch_floor=95

dir=$1
shift
cd "$dir"
rm -f ./*.gcda
for t in test_*; do
	[ ! -x "$t" ] || case $t in *.*) ;; *) ./"$t" > /dev/null || { echo "$t fails"; exit 1; } ;; esac
done
LC_ALL=C gcov -b -o . "$@" 2> /dev/null | awk -v lines=$line_floor -v branches=$branch_floor '
	/^File/ { n = split($2, path, "/"); file = path[n]; sub(/\047.*/, "", file) }
	/^Lines executed/ { split($2, p, /[:%]/); split($0, of, " of "); line[file] = p[2]; nl[file] = of[2] }
	/^Taken at least once/ { split($0, p, /[:%]/); split($0, of, " of "); branch[file] = p[2]; nb[file] = of[2] }
	END {
		for (file in line) {
			if (file !~ /\.c$/ || file ~ /^test_/)
				continue
			printf "%-16s lines %6.2f %% of %4d, branches %6.2f %% of %4d\n",
				file, line[file], nl[file], branch[file], nb[file] | "sort"
			l += line[file] * nl[file]; tl += nl[file]
			b += branch[file] * nb[file]; tb += nb[file]
		}
		close("sort")
		if (!tl || !tb) { print "no coverage was counted"; exit 1 }
		printf "%-16s lines %6.2f %% (floor %d), branches %6.2f %% (floor %d)\n",
			"pure/", l / tl, lines, b / tb, branches
		if (l / tl < lines || b / tb < branches) { print "coverage is below the floor"; exit 1 }
	}'
