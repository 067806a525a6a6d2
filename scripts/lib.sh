# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
#
# Shared by the shell scripts: the caller sets $root, this sets $build.

# shellcheck disable=SC2154
build=$root/build
mkdir -p "$build"

die()
{
	echo "$*" >&2
	exit 1
}

# help ARG...: print what a script says of itself, if it is asked for that
help()
{
	case ${1:-} in
	-h | --help) sed -n '4,/^[^#]*$/s/^#[ ]\{0,1\}//p' "$0"; exit 0 ;;
	esac
}

# a_suite NAME: end unless it is a Debian that the project runs on
a_suite()
{
	case $1 in
	bookworm | trixie) ;;
	*) die "${0##*/}: suite '$1': bookworm or trixie" ;;
	esac
}

own_suite() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# suite_sources SUITE FILE: package sources of that Debian: this machine's own with the
# suite's name in them, as the same archive has all of them.
suite_sources()
{
	own=$(own_suite)
	for f in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
		[ -s "$f" ] || continue
		sed "s/\<$own\>/$1/g" "$f" > "$2"
		return
	done
	die "apt has no sources in /etc/apt/sources.list or sources.list.d/debian.sources"
}

# heavy_lock: one heavy build at a time. The build has the lock open, too: should it
# outlive its script, a second one in the same folder would take its dependency
# files away.
heavy_lock()
{
	exec 9> "$build/.heavy.lock"
	flock -n 9 || { echo 'waiting for another heavy build'; flock 9; }
}

# check_config FRAGMENT CONFIG: every line of the fragment must have come through Kconfig.
# A symbol with an unmet dependency would otherwise vanish without a word, and with it
# the stub or a mitigation. Of several lines for one symbol the last one counts.
check_config()
{
	status=0
	while read -r line; do
		case $line in
		'# CONFIG_'*' is not set') sym=${line#\# }; sym=${sym% is not set} ;;
		CONFIG_*=*) sym=${line%%=*} ;;
		*) continue ;;
		esac
		want=$(grep -E "^($sym=|# $sym is not set\$)" "$1" | tail -n 1)
		case $want in
		*=n | '#'*) ! grep -q "^$sym=" "$2" || { echo "config: $sym is set"; status=1; } ;;
		*) grep -qxF "$want" "$2" || { echo "config: $want was dropped"; status=1; } ;;
		esac
	done < "$1"
	return $status
}
