#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh check|fuzz|minimise DIR NAME...: harnesses DIR/NAME/fuzz. check runs each over
# corpus/NAME once; fuzz looks for new inputs for TIME seconds each and begins with
# those that it found before; minimise takes what adds coverage into corpus/NAME.
# Inputs that crash a harness stay in DIR/NAME/.

set -u
cd "$(dirname "$0")" || exit 1
what=$1 dir=$2
shift 2

max_len=1024
# Files that harnesses write for the code under test, thousands a second.
scratch=$(mktemp -d -p "$([ -w /dev/shm ] && echo /dev/shm || echo "$dir")" fuzz.XXXXXX) || exit 1
trap 'rm -rf "$scratch"' EXIT

harness()	# NAME ARG...
{
	local name=$1 options=() root=$PWD
	shift
	[ ! -e "$name.dict" ] || options+=("-dict=$root/$name.dict")
	(cd "$scratch" && exec "$dir/$name/fuzz" "${options[@]}" -artifact_prefix="$dir/$name/" \
		-timeout=20 -max_len=$max_len "$@") > "$dir/$name/log" 2>&1
}

corpus() { find "$PWD/corpus/$1" -type f 2> /dev/null | sort; }

# The runner counts what Check would print.
run_check()
{
	local name inputs failures=0
	for name; do
		mapfile -t inputs < <(corpus "$name")
		if [ ${#inputs[@]} -gt 0 ] && harness "$name" "${inputs[@]}" &&
			[ "$(grep -c '^Executed ' "$dir/$name/log")" = ${#inputs[@]} ]; then
			echo "$name: ${#inputs[@]} inputs"
		else
			echo "FAILED: $name, of ${#inputs[@]} inputs; see $dir/$name/log:"
			grep -aE 'Running: |property broken|ERROR: |runtime error' "$dir/$name/log" | tail -n 4
			failures=$((failures + 1))
		fi
	done
	echo "Checks: $#, Failures: $failures, Errors: 0"
	return $((failures > 0))
}

last_of() { grep -oaE "$1: *[0-9]+" "$2" | tail -n 1 | grep -oE '[0-9]+$'; }

crashes() { find "$dir/$1" -maxdepth 1 -name '*-????????????????????????????????????????' | wc -l; }

run_fuzz()
{
	local name table='' status=0 n=0
	for name; do
		n=$((n + 1))
		echo "fuzz: $name, $TIME s ($n of $#)"
		mkdir -p "$dir/$name/found" "corpus/$name"
		harness "$name" -max_total_time="$TIME" -print_final_stats=1 "$dir/$name/found" \
			"$PWD/corpus/$name" || { status=1; tail -n 30 "$dir/$name/log"; }
		table+="$name $(last_of stat::number_of_executed_units "$dir/$name/log") "
		table+="$(last_of ft "$dir/$name/log") $(crashes "$name")"$'\n'
	done
	printf '\n%-20s %14s %9s %8s\n' harness executions features crashes
	while read -r name execs features found; do
		printf '%-20s %14s %9s %8s\n' "$name" "$execs" "$features" "$found"
		[ "$found" = 0 ] || status=1
	done <<< "${table%$'\n'}"
	echo "inputs that crashed, corpora and logs: $dir/NAME/"
	return $status
}

run_minimise()
{
	local name most=30
	for name; do
		rm -rf "$dir/$name/small"
		mkdir -p "$dir/$name/small" "$dir/$name/found" "corpus/$name"
		# As few as reach every edge: what the counts of loops add is for the next run.
		harness "$name" -set_cover_merge=1 -use_counters=0 "$dir/$name/small" "$PWD/corpus/$name" "$dir/$name/found" || return
		rm -f "corpus/$name"/*
		# If those are too many, the long ones do the most.
		find "$dir/$name/small" -type f -printf '%s %p\n' | sort -rn | head -n $most |
			cut -d' ' -f2- | xargs cp -t "corpus/$name/"
		echo "$name: $(corpus "$name" | wc -l) inputs"
	done
}

"run_$what" "$@"
