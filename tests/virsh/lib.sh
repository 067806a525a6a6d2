# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=dash
#
# In the machine, for the scripts beside this one.

# shellcheck source=tests/results.sh
. /tests/results.sh

# shellcheck disable=SC2034	# by those who source this
# Its profile would be compiled again for every file that comes or goes.
unconfined="<seclabel type='none' model='apparmor'/>"

# label USER [yes]: its QEMU is that user's; the group is the one that may enter
# /var/lib/libvirt/qemu. "yes": its files, too, which then are no other domain's.
label()
{
	echo "$unconfined<seclabel type='static' model='dac' relabel='${2:-no}'><label>$1:libvirt-qemu</label></seclabel>"
}

# domain NAME [SECLABELS [ON_CRASH]]: the small guest, its console logged in $work
domain()
{
	qemu-img create -q -f qcow2 "$work/$1.qcow2" 4M
	: > "$work/$1.log"
	chmod 666 "$work/$1.log" "$work/$1.qcow2"
	cat > "$work/$1.xml" <<-X
	<domain type='kvm'>
	  <name>$1</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
	  <os><type arch='x86_64' machine='pc'>hvm</type>
	    <kernel>/vm/bzImage</kernel><initrd>/vm/initrd</initrd>
	    <cmdline>console=ttyS0 quiet guest.serve</cmdline></os>
	  <features><acpi/><apic/></features><cpu mode='host-passthrough'/>
	  <on_poweroff>destroy</on_poweroff><on_reboot>restart</on_reboot><on_crash>${3:-destroy}</on_crash>
	  <devices>
	    <emulator>/usr/bin/qemu-system-x86_64</emulator>
	    <controller type='usb' model='none'/>
	    <disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
	      <source file='$work/$1.qcow2'/><target dev='vda' bus='virtio'/></disk>
	    <video><model type='none'/></video>
	    <memballoon model='virtio'><stats period='1'/></memballoon>
	    <serial type='pty'><log file='$work/$1.log' append='on'/><target port='0'/></serial>
	    <console type='pty'><target type='serial' port='0'/></console>
	  </devices>
	  ${2:-}
	</domain>
	X
}

# What the guest said: of its last heartbeat, "beat N mem KB disks N".
said() { tr -d '\r' < "$work/$1.log"; }
count() { said "$1" | grep -c "$2" || true; }
beat() { said "$1" | sed -n 's/^beat \([0-9]*\) mem.*/\1/p' | tail -n 1; }
beat_mem() { said "$1" | sed -n 's/^beat .* mem \([0-9]*\) .*/\1/p' | tail -n 1; }
beat_disks() { said "$1" | sed -n 's/^beat .* disks \([0-9]*\)$/\1/p' | tail -n 1; }

alive() { [ "$(beat "$1")" -gt "$2" ] 2> /dev/null; }
# goes_on NAME: the guest's heart beats
goes_on()
{
	now=$(beat "$1")
	until_ok 30 alive "$1" "${now:-0}"
}
up() { [ "$(count "$1" '^beat ')" -gt 0 ]; }
begun() { [ "$(count "$1" '=== guest begin ===')" -ge "$2" ]; }
state_is() { [ "$(virsh -q domstate "$1")" = "$2" ]; }
in_state() { until_ok "${3:-60}" state_is "$1" "$2" || { equal state "$(virsh -q domstate "$1")" "$2"; }; }
# The process of a domain that runs.
qemu_of() { pgrep -f "guest=$1,"; }
field() { sed -n "s/^$1: *//p" | sed "s/ *$//" | head -n 1; }

# Types a line; QEMU looks once a second whether somebody has opened the terminal.
type_line()
{
	{
		sleep 2
		printf '%s\n' "$2"
		sleep 2
	} > "$(virsh -q ttyconsole "$1")"
}
