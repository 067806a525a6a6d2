#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh COMPLETION MAIN: what bash completes for kvm-splitctl, by the file
# COMPLETION; MAIN is the program's source, for the names of its commands.

set -u
completion=$1
main=$2
failures=0
checks=0

check()	# WHAT WANTED GOT
{
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	echo "FAILED: $1: '$3', not '$2'"
	failures=$((failures + 1))
}

# complete_words WORD...: what the last of the words can become, in one line
complete_words()
{
	bash --norc -c '
		source "$1" || exit 1
		shift
		complete -p kvm-splitctl > /dev/null || exit 1
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		_kvm_splitctl
		echo "${COMPREPLY[*]}"' bash "$completion" "$@"
}

bash -n "$completion"
check 'syntax' 0 $?
commands=$(sed -n 's/^\t{ "\([a-z]*\)", cmd_.*/\1/p' "$main" | tr '\n' ' ')
check 'all commands and options' "${commands}--json --help --version" "$(complete_words kvm-splitctl '')"
check 'one command' 'status stats' "$(complete_words kvm-splitctl sta)"
check 'an option' '--version' "$(complete_words kvm-splitctl --v)"
check 'after --json' 'list log' "$(complete_words kvm-splitctl --json l)"
check 'of list' '--all' "$(complete_words kvm-splitctl list --a)"
check 'a user' 'root' "$(complete_words kvm-splitctl status roo)"
check 'config' 'check' "$(complete_words kvm-splitctl config '')"
check 'a file' "$completion" "$(complete_words kvm-splitctl config check "${completion%ctl}")"
check 'of policy' 'test' "$(complete_words kvm-splitctl policy te)"
check 'a decision' 'vm-start' "$(complete_words kvm-splitctl policy test --op vm-s)"
check 'a fact' '--vm --vms' "$(complete_words kvm-splitctl policy test --vm)"
check 'a number of rounds' '' "$(complete_words kvm-splitctl top -n '')"
check 'of top' '-d -n --json' "$(complete_words kvm-splitctl top -)"

# The runner counts what Check would print.
echo "Checks: $checks, Failures: $failures, Errors: 0"
exit $((failures > 0))
