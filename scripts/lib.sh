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
