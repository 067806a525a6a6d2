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

# heavy_lock: one heavy build at a time. The build has the lock open, too: should it
# outlive its script, a second one in the same folder would take its dependency
# files away.
heavy_lock()
{
	exec 9> "$build/.heavy.lock"
	flock -n 9 || { echo 'waiting for another heavy build'; flock 9; }
}
