#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh DIR: what scripts/heavy, build-kernel, tcb and others promise, in a tree of its own below DIR.
# shellcheck disable=SC2016,SC2317 # functions are called by name

set -u
dir=$(mktemp -d "$1/run.XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/scripts"
top=$(cd ../../.. && pwd)
cp "$top/scripts/heavy" "$top/scripts/lib.sh" "$top/scripts/build-kernel" "$top/scripts/tcb" "$dir/scripts/"
order=$dir/order
failures=0
checks=0

check()	# WHAT CONDITION...
{
	what=$1
	shift
	checks=$((checks + 1))
	"$@" > /dev/null || { echo "FAILED: $what"; failures=$((failures + 1)); }
}

until_true()	# CONDITION...: for ten seconds at most
{
	tries=200
	while ! "$@" > /dev/null 2>&1; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}

not() { ! "$@"; }
order_is() { [ "$(tr '\n' ' ' < "$order")" = "$1 " ]; }

# build NAME: begins, and ends when there is a file go-NAME
build()
{
	# heavy adds -jN, which is the shell's $0.
	"$dir/scripts/heavy" "$1" sh -c "echo $1 begins >> '$order'
		until [ -e '$dir/go-$1' ]; do sleep 0.05; done; echo $1 ends >> '$order'" > "$dir/$1.out" 2>&1
}

"$dir/scripts/heavy" bad sh -c 'echo "a.c:1: error: no such thing"; exit 3' > "$dir/bad.out" 2>&1
check 'a build that fails fails' [ $? = 1 ]
check 'with what was wrong' grep -q 'a.c:1: error' "$dir/bad.out"
check 'and the name of its log' grep -qx 'bad failed, see build/log/bad.log' "$dir/bad.out"
check 'its output is there' grep -q 'error' "$dir/build/log/bad.log"
"$dir/scripts/heavy" good sh -c 'echo "$0"' > "$dir/good.out" 2>&1
check 'one that succeeds does' [ $? = 0 ]
check 'and had all CPUs' grep -qx -e "-j$(nproc)" "$dir/build/log/good.log"
check 'it did not wait' not grep -q waiting "$dir/good.out"

build one &
one=$!
check 'one begins' until_true order_is 'one begins'
build two &
check 'two waits, and says so' until_true grep -q 'waiting for another heavy build' "$dir/two.out"
touch "$dir/go-two" "$dir/go-one"
check 'two begins after one' until_true order_is 'one begins one ends two begins two ends'
wait "$one"
check 'one succeeded' [ $? = 0 ]
wait

# The script dies, its build goes on.
: > "$order"
rm -f "$dir"/go-*
build three &
check 'three begins' until_true order_is 'three begins'
pkill -9 -f "$dir/scripts/heavy three"
build four &
check 'four waits for what is left of it' until_true grep -q waiting "$dir/four.out"
touch "$dir/go-four" "$dir/go-three"
check 'four begins after that' until_true order_is 'three begins three ends four begins four ends'
wait

# --- build-kernel: a kernel tree whose Kconfig loses the lines that match $DROP -----

cp -r "$top/scripts/configs" "$dir/scripts/"
cp "$top/Kconfig.fragment" "$dir/"
mkdir -p "$dir/build/linux-split" "$dir/build/linux-stock"
cat > "$dir/build/linux-split/Makefile" << 'EOF'
allnoconfig:
	@grep -vE "$${DROP:-^$$}" '$(KCONFIG_ALLCONFIG)' | sed -E 's/^# (CONFIG_\w+) is not set/\1=n/' | \
		awk -F= '/^CONFIG/ { line[$$1] = $$0 } END { for (s in line) print line[s] }' | \
		grep -v '=n$$' > '$(O)/.config'
	@echo "$$ADD" >> '$(O)/.config'
kernelrelease:
	@echo 0.0
bzImage:
	@mkdir -p '$(O)/arch/x86/boot' && touch '$(O)/arch/x86/boot/bzImage'
EOF
cp "$dir/build/linux-split/Makefile" "$dir/build/linux-stock/"

# kernel NAME: whether build-kernel makes it; what it says is in kernel.out
kernel() { "$dir/scripts/build-kernel" "$1" > "$dir/kernel.out" 2>&1; }
says() { grep -qxF -e "$1" "$dir/kernel.out"; }

for name in stock split debug; do
	check "build-kernel $name: all lines are there" kernel $name
done
grep -E '^CONFIG_.*=[^n]' "$top/Kconfig.fragment" > "$dir/lines"
while read -r line; do
	export DROP="^$line\$"
	check "without $line there is no kernel" not kernel split
	check "and $line is named" says "config: $line was dropped"
done < "$dir/lines"
check 'there were lines to try' [ -s "$dir/lines" ]
DROP='^CONFIG_(SMP|KVM)='
check 'nor without a line of testbed.config' not kernel split
check 'nor without in-tree KVM in the stock kernel' not kernel stock
unset DROP
export ADD=CONFIG_KVM=y
check 'with in-tree KVM in the split kernel neither' not kernel split
unset ADD

# --- arguments: help, and what none of them takes ------------------------------------

cp "$top/scripts/check-kvm-sites" "$top/scripts/in-suite" "$top/scripts/make-deb" "$top/scripts/make-debian-image" \
	"$top/scripts/make-guest" "$top/scripts/prepare-tree" "$dir/scripts/"
mkdir -p "$dir/kvm-split/back" "$dir/linux-patches"
touch "$dir/linux-patches/base"
cp -r "$dir/build" "$dir/before"
# What they would go on with, long.
mkdir "$dir/bin"
for name in dpkg-buildpackage mmdebstrap; do ln -s /bin/false "$dir/bin/$name"; done

# args SCRIPT [ARG...]: what it says is in args.out
args()
{
	script=$1
	shift
	PATH=$dir/bin:$PATH LINUX_SOURCE=none "$dir/scripts/$script" "$@" > "$dir/args.out" 2>&1
}

# refuses WHAT SCRIPT [ARG...]: it fails with this line, and no other
refuses()
{
	sentence=$1
	shift
	check "$*: fails" not args "$@"
	check "$*: says why" [ "$(cat "$dir/args.out")" = "$sentence" ]
}

for script in build-kernel check-kvm-sites heavy in-suite make-deb make-debian-image make-guest prepare-tree tcb; do
	for option in -h --help; do
		check "$script $option" args $script $option
		check "$script $option says what it is" grep -qE "^$script\>.*: " "$dir/args.out"
	done
done
for version in release -x 1.0_2 ' '; do
	refuses "make-deb: '$version' is no version of a Debian package" make-deb "$version"
done
refuses 'check-kvm-sites: nowhere is no kernel tree' check-kvm-sites nowhere
refuses "heavy: no command for 'name'" heavy name
refuses "in-suite: suite 'name': bookworm or trixie" in-suite name true
refuses "make-debian-image: suite 'name': bookworm or trixie" make-debian-image debian name
refuses "make-debian-image: image 'name': debian or installed" make-debian-image name
refuses "build-kernel: unknown kernel 'name'" build-kernel name
check 'nothing is made' diff -r "$dir/before" "$dir/build"

# --- tests/run: what it started ends with it ----------------------------------------

mkdir -p "$dir/tests/system"
cp "$top/tests/run" "$dir/tests/"
cat > "$dir/tests/system/long" << EOF
#!/bin/sh
(sleep 1000 & echo \$! > $dir/long.new; mv $dir/long.new $dir/long.pid; wait)
true
EOF
chmod +x "$dir/tests/system/long"
for sig in KILL TERM; do
	rm -f "$dir/long.pid"
	"$dir/tests/run" long > "$dir/long.out" 2>&1 &
	runner=$!
	check 'a test runs' until_true [ -e "$dir/long.pid" ]
	kill -$sig $runner
	check "SIG$sig of its runner ends it" until_true not kill -0 "$(cat "$dir/long.pid")"
	wait $runner 2> /dev/null
done

# --- tcb: neither packing nor comments change the count; code does ------------------

# lines: what tcb counts for the code in its standard input
lines() { cat > "$dir/code.c"; "$dir/scripts/tcb" "$dir/code.c" | awk '{ print $1 }'; }

cat > "$dir/plain" << 'EOF'
static const int table[] = {
	[0] = 1,
	[1] = 2,
	[2] = 3,
};

static int both(int a, int b)
{
	int sum = 0;

	if (a)
		sum += a;
	sum += b;
	return sum;
}
EOF
plain=$(lines < "$dir/plain")
check 'tcb counts' [ "$plain" -gt 10 ]
packed=$(lines << 'EOF'
static const int table[] = { [0] = 1, [1] = 2, [2] = 3, };
static int both(int a, int b)
{
	int sum = 0;
	if (a) sum += a; sum += b; return sum;
}
EOF
)
check "initialisers and statements on one line: $packed of $plain" [ "$packed" = "$plain" ]
commented=$(sed 's|;$|; /* why,\n\t * and how */|; s|^static|// what\n\n&|' "$dir/plain" | lines)
check "comments and blank lines: $commented of $plain" [ "$commented" = "$plain" ]
renamed=$(sed 's/table/table_of_everything/; s/both/both_of_the_arguments/' "$dir/plain" | lines)
check "longer names: $renamed of $plain" [ "$renamed" = "$plain" ]
more=$(sed 's/.*\[2\] = 3,/&\n\t[3] = 4,/; s/.*sum += b;/&\n&/' "$dir/plain" | lines)
check "an initialiser and a statement more: $more of $plain" [ "$more" = $((plain + 2)) ]

# A patch: two lines in, one out; its headers and context are no lines.
cat > "$dir/linux-patches/0001.patch" << 'EOF'
From: nobody
Subject: [PATCH] what changes

--- a/one.c
+++ b/one.c
@@ -1,3 +1,4 @@
 before
-old
+new
+newer
 after
EOF
echo '0001.patch	# why' > "$dir/linux-patches/series"
cp "$dir/plain" "$dir/kvm-split/back/plain.c"
"$dir/scripts/tcb" > "$dir/tcb.out" 2>&1
check 'within the budget' [ $? = 0 ]
check 'a patch has what it adds and removes' grep -qE '^linux-patches/ +3 of ' "$dir/tcb.out"
check 'a folder has a line' grep -qE "^ *kvm-split/back +$plain\$" "$dir/tcb.out"
check 'and is in the sum' grep -qE "^kvm-split/ +$plain of " "$dir/tcb.out"
for i in $(seq 6000); do echo "int line$i;"; done > "$dir/kvm-split/back/long.c"
check 'above the budget it fails' not "$dir/scripts/tcb"

# --- version: what apt must take for newer ------------------------------------------

check 'a version for packages' dpkg --validate-version "$("$top/scripts/version")"
cp "$top/scripts/version" "$dir/scripts/"
echo '1.2.3~dev' > "$dir/VERSION"
dev=$("$dir/scripts/version")
check "$dev is before 1.2.3" dpkg --compare-versions "$dev" lt 1.2.3
check "$dev is after 1.2.2" dpkg --compare-versions "$dev" gt 1.2.2
echo 1.2.3 > "$dir/VERSION"
check 'a release is what VERSION says' [ "$("$dir/scripts/version")" = 1.2.3 ]

# --- lint: commit messages and headers, in a repository of its own -------------------

repo=$dir/repo
mkdir -p "$repo/scripts" "$repo/vmm-daemon" "$repo/tests/unit/pure"
printf 'headers:\n\t@:\n' > "$repo/tests/unit/pure/Makefile"
cp "$top/scripts/lint" "$repo/scripts/"
printf 'kern-headers:\n\t@echo vmm-daemon/kernel.h\n' > "$repo/vmm-daemon/Makefile"
export GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@t GIT_COMMITTER_NAME=t GIT_COMMITTER_EMAIL=t@t
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git -C "$repo" init -q
git -C "$repo" commit -q --allow-empty -m 'a long time ago'
git -C "$repo" rev-parse HEAD > "$repo/scripts/commits.base"
lint() { "$repo/scripts/lint" "$@" > "$dir/lint.out" 2>&1; }

# message TEXT: whether lint takes a commit with that message
message()
{
	git -C "$repo" commit -q --allow-empty -m "$1"
	lint commits
	result=$?
	git -C "$repo" reset -q --soft HEAD~
	return $result
}

long=$(printf '%072d' 0)
check 'messages of before the base are left alone' lint commits
check 'a subject and a body' message 'tests: what changes

Why it changes.'
check 'no body' not message 'tests: what changes'
check 'no body but a trailer' not message 'tests: what changes

Signed-off-by: T <t@t>'
check 'a subject of more than 72 columns' not message "tests: $long

Why."
check 'a subject without a component' not message 'what changes

Why.'
check 'a line of more than 100 columns' not message "tests: what changes

$long $long"

echo 'static inline int f(size_t n) { return n > 1; }' > "$repo/tests/alone.h"
git -C "$repo" add -A
check 'a header that needs another one' not lint headers
check 'is named' grep -qx 'tests/alone.h does not compile alone' "$dir/lint.out"
sed -i '1i #include <stddef.h>' "$repo/tests/alone.h"
check 'one that does not' lint headers

# --- demo-summary: numbers and names ------------------------------------------------

mkdir -p "$dir/split" "$dir/stock"
printf '#define EXIT_REASON_EPT_VIOLATION       48\n#define EXIT_REASON_CPUID               10\n' > "$dir/vmx.h"
printf 'kvm-split/   5000 of 6000\nlinux-patches/   300 of 600\n' > "$dir/tcb"
echo 'instructions_command 1000' > "$dir/stock/counts"
echo 'instructions_command 1500' > "$dir/split/counts"
printf 'exits 400\nexit_48 300\nexit_48_ring0 300\nexit_10 100\nexit_10_ring0 0\n' > "$dir/split/kvm-split.stats"
"$top/scripts/demo-summary" "$dir/vmx.h" "$dir/tcb" "$dir/split" "$dir/stock" > "$dir/summary" 2>&1
check 'a summary' [ $? = 0 ]
check 'exits in ring 0' grep -qE '^  ept violation +300 +75.0 %  #{30}$' "$dir/summary"
check 'exits of the worker' grep -qE '^  cpuid +100 +25.0 %  \+{10}$' "$dir/summary"
check 'what it costs' grep -q '1.50 times as many' "$dir/summary"
check 'what it shows' grep -q '5,000 lines' "$dir/summary"
echo 'exits 0' > "$dir/split/kvm-split.stats"
check 'without exits there is none' not "$top/scripts/demo-summary" "$dir/vmx.h" "$dir/tcb" "$dir/split" "$dir/stock"

echo "100%: Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ]
