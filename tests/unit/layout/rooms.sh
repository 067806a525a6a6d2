#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# Which folder of vmm-daemon/ includes what: personality/ is the kernel API that
# KVM calls, and knows neither KVM nor the worker nor a daemon; calls/ and libkvm/
# know no program.

set -eu

d=$(cd "$(dirname "$0")/../../.." && pwd)/vmm-daemon
bad=0

# forbid FOLDER REGEX: no file of it has such an #include
forbid()
{
	if grep -nE "^#[ 	]*include[ 	]+[<\"]($2)" "$d/$1"/*.*; then
		echo "layout: $1/ must not include these"
		bad=1
	fi
}

programs='ctl/|launcher/|statfs/|supervisor/|worker/|common/(config|confine|daemon)\.h|(daemon|worker)\.h'
forbid personality "(linux|asm|uapi/linux)/(kvm|entry-kvm)|calls/|libkvm|common/stats_page|$programs"
forbid calls "$programs"
forbid libkvm "$programs"
forbid seam "calls/|libkvm|personality|common/|$programs"
forbid common "calls/|libkvm|personality|ctl/|launcher/|statfs/|supervisor/|worker/"
[ "$bad" = 0 ]
echo "layout: no folder includes what it must not know"
