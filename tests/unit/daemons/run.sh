#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh DAEMONS DIR: kvm-vmmd and kvm-split-launcher from the folder DAEMONS,
# with FIFOs for the kernel's descriptors. Scratch files go to DIR.
# shellcheck disable=SC2317 # functions are called by name

set -u
bin=$1
dir=$(mktemp -d "$2/run.XXXXXX") || exit 1
# Supervisors run as other users.
chmod 755 "$dir"
failures=0
checks=0
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$dir"' EXIT

check()	# WHAT CONDITION...
{
	local what=$1
	shift
	checks=$((checks + 1))
	if "$@" > /dev/null; then
		return
	fi
	echo "FAILED: $what"
	failures=$((failures + 1))
}

# runs_as PID UID
runs_as() { [ "$(stat -c %u "/proc/$1")" = "$2" ]; }

until_true()	# SECONDS CONDITION...
{
	local tries=$(($1 * 20))
	shift
	while ! "$@" > /dev/null 2>&1; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.05
	done
}

lines()	# FILE N: it has N lines
{
	[ "$([ ! -e "$1" ] || wc -l < "$1")" = "$2" ]
}

supervisor_of()	# UID: the last one's pid
{
	sed -n "s/^$1 //p" "$dir/supervisor.pids" | tail -n 1
}

lives()	# UID: the last one does
{
	kill -0 "$(supervisor_of "$1")"
}

count_is()	# N TEXT FILE: so many lines of it match
{
	[ "$(grep -c "$2" "$3")" = "$1" ]
}

one_line()	# TEXT FILE
{
	[ "$(grep -c "$1" "$2")" = 1 ]
}

two_lines()	# TEXT FILE
{
	[ "$(grep -c "$1" "$2")" = 2 ]
}

last_is()	# TEXT FILE: its last line matches
{
	tail -n 1 "$2" | grep -q -- "$1"
}

status_is()	# STATUS COMMAND...
{
	local want=$1
	shift
	"$@" > /dev/null 2>&1
	[ $? = "$want" ]
}

# ------------------------------------------------------------ command lines

for prog in kvm-vmmd kvm-split-launcher; do
	check "$prog --help" status_is 0 "$bin/$prog" --help
	check "$prog --version" test "$("$bin/$prog" --version 2>&1)" = "$prog (kvm-split) $(cat ../../../VERSION)"
	check "$prog --nonsense" status_is 64 "$bin/$prog" --nonsense
done
check 'kvm-vmmd without a tenant' status_is 64 "$bin/kvm-vmmd" --uid 1
check 'kvm-vmmd with a bad uid' status_is 64 "$bin/kvm-vmmd" --tenant-fd 0 --uid -3
check 'kvm-vmmd with a bad range' status_is 64 \
	"$bin/kvm-vmmd" --tenant-fd 0 --uid 1 --worker-uids 9-3

# --------------------------------------------------------------- supervisor

# A worker takes the want (one byte), says that it is ready, and stays.
cat > "$dir/worker" << EOF
#!/bin/bash
[ "\$1 \$3" = '--tenant-fd --supervisor-fd' ] || exit 9
echo \$\$ >> "$dir/started"
[ ! -e "$dir/broken" ] || exit 3
read -r -N 1 _ <&\$2
printf R >&\$4
exec 9>&-
exec sleep 1000
EOF
chmod +x "$dir/worker"
mkfifo "$dir/tenant"
exec 8<> "$dir/tenant"
"$bin/kvm-vmmd" --tenant-fd 8 --uid 1001 --worker "$dir/worker" --spare-delay 0 2> "$dir/log" &
vmmd=$!
pids+=("$vmmd")

check 'supervisor starts' until_true 5 grep -q '^<6>tenant 1001: started' "$dir/log"
check 'nothing wanted, nothing started' lines "$dir/started" ''
printf x >&8
check 'one want, one worker' until_true 5 lines "$dir/started" 1
sleep 0.3
check 'and no more' lines "$dir/started" 1
printf xx >&8
check 'two more, one after the other' until_true 5 lines "$dir/started" 3

# One dies while it serves: no matter.
kill -9 "$(head -n 1 "$dir/started")"
check 'death is logged' until_true 5 grep -q 'died of signal 9' "$dir/log"
check 'supervisor lives' kill -0 $vmmd

# Workers that die at their start come slower and slower.
: > "$dir/broken"
printf x >&8
sleep 2
n=$(($(wc -l < "$dir/started") - 3))
check "backs off ($n starts in 2 s)" test "$n" -ge 2 -a "$n" -le 6
check 'says so' grep -q 'worker failed (2 in a row), next start in 200 ms' "$dir/log"
# The one that was killed above counts, too.
n=$(grep -c 'worker failed' "$dir/log")
check 'counts each failure once' test "$n" -le $(($(wc -l < "$dir/started") - 3 + 1))
rm "$dir/broken"
before=$(wc -l < "$dir/started")
check 'recovers' until_true 10 lines "$dir/started" $((before + 1))

kill -TERM $vmmd
wait $vmmd
check 'SIGTERM: status 0' test $? = 0
worker=$(sed -n 2p "$dir/started")
check 'workers go on' kill -0 "$worker"
mapfile -t workers < "$dir/started"
pids+=("${workers[@]}")

# A spare that nobody waits for can wait.
: > "$dir/started"
"$bin/kvm-vmmd" --tenant-fd 8 --uid 1001 --worker "$dir/worker" --spare-delay 1500 2> "$dir/log" &
vmmd=$!
pids+=("$vmmd")
printf x >&8
sleep 0.7
check 'a spare waits' lines "$dir/started" 0
check 'and comes' until_true 5 lines "$dir/started" 1
kill -TERM $vmmd
mapfile -t workers < "$dir/started"
pids+=("${workers[@]}")
check 'a delay that is none' status_is 64 \
	"$bin/kvm-vmmd" --tenant-fd 8 --uid 7 --spare-delay -1

# Nobody comes: it ends. One spare worker is nobody, two workers are a client.
: > "$dir/started"
check 'ends when idle' status_is 0 timeout 10 \
	"$bin/kvm-vmmd" --tenant-fd 8 --uid 7 --worker "$dir/worker" --idle 1
"$bin/kvm-vmmd" --tenant-fd 8 --uid 7 --worker "$dir/worker" --spare-delay 0 --idle 1 2> "$dir/log" &
vmmd=$!
pids+=("$vmmd")
printf xx >&8
check 'a worker and a spare one' until_true 5 lines "$dir/started" 2
sleep 1.5
check 'does not end while one serves' kill -0 $vmmd
mapfile -t workers < "$dir/started"
pids+=("${workers[@]}")
kill "${workers[0]:-}"
check 'ends afterwards' until_true 5 grep -q '<6>tenant 7: no client for 1 s: ending' "$dir/log"
wait $vmmd
check 'with status 0' test $? = 0

# ---------------------------------------------------------------- questions

# A worker that asks for a VM and then for twice 60 MiB, and writes down what it hears.
python3 -c 'import sys; print("#!" + sys.executable)' > "$dir/asks"
cat >> "$dir/asks" << 'EOF'
import os, socket, struct, sys
os.read(int(sys.argv[2]), 1)
s = socket.socket(fileno=int(sys.argv[4]))
s.send(b'R')
heard = [str(os.getpid()), ' '.join(sys.argv[7:])]
for what, size in (0, 0), (1, 60 << 20), (1, 60 << 20):
    s.send(struct.pack('=IIQ', what, 0, size))
    heard.append(' '.join(map(str, struct.unpack('=iIQ', s.recv(64)))))
with open(os.path.dirname(sys.argv[0]) + '/heard', 'a') as f:
    print(', '.join(heard), file=f)
s.recv(1)
EOF
chmod +x "$dir/asks"
# service REPLIES: a policy service with a reply, None is none at all, for each connection
service()
{
	python3 -c '
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + ".new")
s.listen()
os.rename(sys.argv[1] + ".new", sys.argv[1])
kept = []
for reply in eval(sys.argv[2]):
    c = s.accept()[0]
    kept.append(c)
    print(c.recv(65536), file=sys.stderr, flush=True)
    if reply is not None:
        c.sendall(reply)
        kept.pop().close()
s.accept()
' "$dir/policyd" "$1" 2> "$dir/asked" &
	service=$!
	pids+=("$service")
	until_true 5 test -S "$dir/policyd"
}
no_service()
{
	kill "$service" 2> /dev/null
	wait "$service" 2> /dev/null
	rm -f "$dir/policyd"
}
# hears TEXT WORD: what a worker hears if the policy service is that to its tenant
hears()
{
	: > "$dir/heard"
	"$bin/kvm-vmmd" --tenant-fd 8 --uid 1001 --worker "$dir/asks" --spare-delay 0 \
		--policy "$2" --policyd "$dir/policyd" --max-memory-sum 104857600 2> "$dir/log" &
	vmmd=$!
	printf x >&8
	until_true 20 test -s "$dir/heard"
	kill $vmmd
	wait $vmmd
	grep -qF -- "$1" "$dir/heard" || { cat "$dir/heard" "$dir/log" >&2; return 1; }
}
# What a worker may have where nobody says otherwise.
all='4294967295 18446744073709551615'
reply() { echo "b'{\"parameters\":{\"verdict\":\"$1\",\"reason\":\"${2:-}\",\"whose\":\"tenant\"${3:-}}}\\0'"; }

check 'no service: allowed; two times 60 MiB are more than 100' \
	hears ", 0 $all, 0 $all, -12 $all" expected
check 'it is told to ask' count_is 1 'ask-vm --ask-memory' "$dir/heard"
check 'memory is told' grep -q '<4>tenant 1001: worker .*: max-memory-sum of 100 MiB reached: 120 MiB' "$dir/log"
check 'no service, which is required' hears ", -13 $all, 0" required
check 'and why' grep -q '<3>tenant 1001: worker .*: KVM_CREATE_VM refused: no word .*: there is none' "$dir/log"
service "[$(reply allow '' ',"max_vcpus":3,"max_memory":1048576')]"
check 'allowed' hears ', 0 3 1048576, ' required
check 'asked with the worker' grep -q "\"op\":\"vm-create\",.*\"worker\":$(cut -d, -f1 "$dir/heard"),\"vms\":1" "$dir/asked"
no_service
service "[$(reply deny 'too \\n many')]"
check 'denied' hears ", -13 $all, " optional
check 'with the reason' grep -q '<5>tenant 1001: worker .*: KVM_CREATE_VM refused: denied by tenant: too ? many' "$dir/log"
no_service
service "[b'', b'', $(reply allow)]"
check 'a service that ends and comes back' hears ', 0 ' required
no_service
service '[None]'
check 'a silent one' hears ", -13 $all, " expected
check 'a silent one is told' grep -q 'no word of the policy service: it does not answer' "$dir/log"
no_service
service '[None]'
check 'a silent one that need not answer' hears ", 0 $all, " optional
no_service
service "[b'{' * 70000, b'[]\\0'] * 20"
check 'one that sends no messages' hears ", -13 $all, " expected
no_service
service "[$(reply maybe)]"
check 'one that decides nothing' hears ", -13 $all, " expected
no_service
service '[None]'
check 'nobody is asked' hears ", 0 $all, " off
check 'it is told not to ask' count_is 0 'ask-vm' "$dir/heard"
check 'nobody was asked' lines "$dir/asked" 0
no_service
check 'no such word' status_is 64 "$bin/kvm-vmmd" --tenant-fd 8 --uid 7 --policy perhaps

# A tenant that wants workers without end gets a burst, and then so many a second.
cat > "$dir/quick" << EOF
#!/bin/sh
echo >> "$dir/quick.started"
head -c 1 <&\$2 > /dev/null
printf R >&\$4
EOF
chmod +x "$dir/quick"
"$bin/kvm-vmmd" --tenant-fd 8 --uid 7 --worker "$dir/quick" --spare-delay 0 --start-rate 1 2> "$dir/log" &
vmmd=$!
pids+=("$vmmd")
printf '%070d' 0 >&8
check 'a burst' until_true 20 lines "$dir/quick.started" 64
check 'is told' until_true 5 one_line 'workers are asked for faster than 1 a second' "$dir/log"
check 'then one by one' status_is 1 lines "$dir/quick.started" 70
kill -TERM $vmmd
wait $vmmd
# What nobody took.
read -r -t 0.1 -N 100 _ <&8

# ----------------------------------------------------------------- launcher

want()	# UID
{
	local o
	printf -v o '\\0%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) \
		$(($1 >> 24 & 255))
	printf "%b" "$o" >&7
}

if [ "$(id -u)" = 0 ]; then
	cat > "$dir/supervisor" << EOF
#!/bin/bash
[ "\$1 \$3" = '--tenant-fd --uid' ] || exit 9
echo "\$*" >> "$dir/supervisor.args"
echo "\$4 \$\$" >> "$dir/supervisor.pids"
echo "\$4 \$(id -u) \$(id -g) \$(id -G) \$(grep NoNewPrivs /proc/self/status | tr -dc 01)" >> "$dir/supervised"
[ ! -e "$dir/broken" ] || exit 3
exec sleep 1000
EOF
	chmod +x "$dir/supervisor"
	: > "$dir/supervised"
	: > "$dir/supervisor.args"
	: > "$dir/supervisor.pids"
	chmod 666 "$dir"/supervis*
	chmod 755 "$dir/supervisor"
	mkfifo "$dir/control"
	exec 7<> "$dir/control"
	export SHIM_LOG=$dir/shim SHIM_MODPROBE=$dir/modprobe.d
	mkdir -p "$dir/etc/tenants.d"
	cat > "$dir/etc/kvm-split.conf" << EOF
max-tenants: 4
defaults: { max-vms: 5 }
deny: [ games, "@g299", "@ghost" ]
EOF
	# Files of users without a name.
	echo 'max-vms: 7' | tee "$dir"/etc/tenants.d/{65001,3000000000,77}.conf > /dev/null
	LD_PRELOAD=$2/shim.so "$bin/kvm-split-launcher" --device "$dir/control" \
		--supervisor "$dir/supervisor" --run-dir "$dir/rundir" --fork \
		--config "$dir/etc/kvm-split.conf" 2> "$dir/log2" &
	launcher=$!
	pids+=("$launcher")
	check 'ready file' until_true 5 test -e "$dir/rundir/ready"
	check 'with the pid' grep -qx $launcher "$dir/rundir/ready"

	want 0
	check 'root is a tenant' until_true 5 grep -qx 'bind 0 5' "$dir/shim"
	check 'as another user' until_true 5 \
		grep -qx '0 2000000000 2000000000 2000000000 1' "$dir/supervised"
	want 0
	sleep 0.3
	check 'one supervisor per user' lines "$dir/supervised" 1
	for _ in 1 2 3 4 5 6 7 8 9; do
		want 65000
	done
	check 'unknown user refused' until_true 5 count_is 9 '^deny 65000 13$' "$dir/shim"
	check 'and logged once' one_line 'uid 65000: refused' "$dir/log2"
	# A worker of an earlier supervisor.
	setpriv --reuid 2016640265 --regid 2016640265 --clear-groups sleep 1000 &
	pids+=("$!")
	check 'user who runs' until_true 5 runs_as $! 2016640265
	want 65001
	check 'user without a name, but a file' until_true 5 grep -qx 'bind 65001 7' "$dir/shim"
	check 'numbers in use are told' until_true 5 grep -q -- '--uid 65001 .* --used-uids 2016640265$' \
		"$dir/supervisor.args"
	want 3000000000
	check 'high number' until_true 5 grep -qx 'bind 3000000000 7' "$dir/shim"
	check 'below those of systemd' until_true 5 \
		grep -qx '3000000000 2147238400 2147238400 2147238400 1' "$dir/supervised"
	want 77
	check 'number that an account has' until_true 5 grep -qx 'deny 77 13' "$dir/shim"
	check 'says so' grep -q '77: refused: another account has user or group id 2000019712' "$dir/log2"
	want "$(id -u backup)"
	check 'denied by the last of 300 groups' until_true 5 grep -qx "deny $(id -u backup) 13" "$dir/shim"
	want "$(id -u list)"
	check 'denied, as a group has no name' until_true 5 grep -qx "deny $(id -u list) 13" "$dir/shim"
	want 2000000000
	want "$(id -u games)"
	check 'denied user refused' until_true 5 grep -qx "deny $(id -u games) 13" "$dir/shim"
	check 'service user refused' until_true 5 grep -qx 'deny 2000000000 13' "$dir/shim"
	want 65534
	check 'another user' until_true 5 grep -qx 'bind 65534 5' "$dir/shim"
	check 'whose workers are not users that accounts have' until_true 5 \
		grep -q -- '--uid 65534 .* --taken-uids 2016776721,2016776959$' "$dir/supervisor.args"
	check 'says so' one_line 'tenant 65534: no worker gets 2 of .* groups have 2, 0 were' "$dir/log2"
	want 1
	check 'limit of tenants' until_true 5 grep -qx 'deny 1 24' "$dir/shim"

	# A configuration that changes.
	config=$dir/etc/tenants.d/root.conf
	check 'default settings' until_true 5 grep -qx -- '--tenant-fd [0-9]* --uid 0 --log-level 6 --policy expected --worker-uids 2000000001-2000000255' \
		"$dir/supervisor.args"
	printf 'nested: no\nmax-vms: 3\nmax-memory: 1G\nmax-memory-sum: 4G\npolicy: off\nhide-cpu-features: [ fpu, vme ]\n' > "$config"
	kill -HUP $launcher
	check 'supervisor with other settings is stopped' until_true 5 \
		grep -q 'root: supervisor .* ended, signal 15' "$dir/log2"
	want 0
	check 'new limit' until_true 5 grep -qx 'bind 0 3' "$dir/shim"
	check 'new settings' until_true 5 grep -q -- \
		'--uid 0 --log-level 6 --max-memory 1073741824 --max-memory-sum 4294967296 --policy off --no-nested --hide 0,1' "$dir/supervisor.args"
	check 'other supervisors go on' count_is 1 'ended, signal 15' "$dir/log2"
	# One that is bad: told once, the old one stays.
	echo 'max-vmz: 3' >> "$config"
	kill -HUP $launcher
	check 'bad file is logged' until_true 5 \
		grep -q "<3>kvm-split-launcher: $config:7: unknown key 'max-vmz'" "$dir/log2"
	check 'the rest is loaded' until_true 5 count_is 2 'configuration reloaded' "$dir/log2"
	kill "$(supervisor_of 0)"
	check 'supervisor is gone' until_true 5 \
		count_is 2 'root: supervisor .* ended, signal 15' "$dir/log2"
	tries=0
	until count_is 2 'bind 0 3' "$dir/shim"; do
		want 0
		sleep 0.3
		[ $((tries += 1)) -lt 20 ] || break
	done
	check 'old limit stays' count_is 2 'bind 0 3' "$dir/shim"
	check 'logged once' count_is 1 max-vmz "$dir/log2"
	echo 'max-tenants: 3' >> "$dir/etc/kvm-split.conf"
	kill -HUP $launcher
	check 'bad provider file' until_true 5 grep -q "kvm-split.conf:4: max-tenants was set in line 1" "$dir/log2"
	check 'old configuration stays' until_true 5 grep -q 'not reloaded: the old' "$dir/log2"
	sed -i '$d' "$dir/etc/kvm-split.conf"

	# nested=0 in modprobe.d: --no-nested for all, until it is gone.
	mkdir "$dir/modprobe.d"
	echo 'options kvm_intel nested=0 enable_apicv=0' > "$dir/modprobe.d/kvm.conf"
	check 'one that runs' until_true 5 grep -q '^65534 ' "$dir/supervisor.pids"
	kill -HUP $launcher
	check 'supervisor is stopped' until_true 5 grep -q 'nobody: supervisor .* ended, signal 15' "$dir/log2"
	check 'said once' one_line 'nested VMX is off for all tenants: modprobe.d or ' "$dir/log2"
	check 'with the rest of the line' one_line 'kvm_intel.enable_apicv=0, of modprobe.d or .*, has no effect: it is no module' "$dir/log2"
	check 'not nested, too' status_is 1 grep -q 'kvm_intel.nested=0' "$dir/log2"
	want 65534
	check 'off for all' until_true 5 grep -q -- '--uid 65534 .*--no-nested' "$dir/supervisor.args"
	rm "$dir/modprobe.d/kvm.conf"
	kill -HUP $launcher
	check 'supervisor is stopped again' until_true 5 two_lines 'nobody: supervisor .* ended, signal 15' "$dir/log2"
	: > "$dir/shim.slow"
	want 65534
	check 'next start' until_true 5 count_is 3 'nobody: supervisor .* runs as' "$dir/log2"
	want 65000
	check 'others do not wait while its users are looked up' until_true 5 count_is 10 '^deny 65000 13$' "$dir/shim"
	check 'nor does it start before' last_is '--uid 65534 .*--no-nested' "$dir/supervisor.args"
	rm "$dir/shim.slow"
	check 'on again' until_true 5 last_is '--uid 65534 --log-level 6 --policy expected --worker-uids' "$dir/supervisor.args"

	# A supervisor that keeps dying.
	check 'which runs' until_true 5 lives 65534
	: > "$dir/broken"
	kill -9 "$(supervisor_of 65534)"
	check 'death is logged' until_true 5 grep -q 'nobody: supervisor .* ended, signal 9' "$dir/log2"
	sleep 0.6
	want 65534
	check 'started again' until_true 5 grep -q 'nobody: supervisor .* status 3' "$dir/log2"
	want 65534
	sleep 0.3
	check 'but not at once' one_line 'nobody: supervisor .* status 3' "$dir/log2"
	check 'held back' until_true 5 two_lines 'nobody: supervisor .* status 3' "$dir/log2"
	check 'not refused' status_is 1 grep -q 'deny 65534' "$dir/shim"
	for _ in 1 2 3 4 5 6 7 8; do
		want 65534
		sleep 1
	done
	check 'for so long' until_true 5 grep -qx 'deny 65534 16' "$dir/shim"

	kill -TERM $launcher
	wait $launcher
	check 'launcher: SIGTERM, status 0' test $? = 0
	check 'ready file is gone' test ! -e "$dir/rundir/ready"
	check 'supervisors go on' kill -0 "$(supervisor_of 0)"
	check 'another ABI version' status_is 76 env SHIM_VERSION=99 \
		LD_PRELOAD="$2/shim.so" "$bin/kvm-split-launcher" --device "$dir/control"
	# Supervisors as services; systemctl and the service are shell scripts.
	cat > "$dir/systemctl" << EOF
#!/bin/bash
echo "\$*" >> "$dir/systemctl.log"
[ ! -e "$dir/no-systemctl" ] || exit 4
[ "\$3" != kvm-vmmd@bin.service ] || exit 0
name=\${3#kvm-vmmd@}
SHIM_LOG=$dir/shim NOTIFY_SOCKET=$dir/notify "$bin/kvm-split-launcher" --supervisor "$dir/supervisor" \\
	--run-dir "$dir/rundir" --instance "\$(printf "\${name%.service}")" < /dev/null >> "$dir/log4" 2>&1 &
EOF
	chmod +x "$dir/systemctl"
	rm -f "$dir/broken" "$config"
	: > "$dir/supervised"
	kill "$(supervisor_of 0)"
	LD_PRELOAD=$2/shim.so "$bin/kvm-split-launcher" --device "$dir/control" --run-dir "$dir/rundir" \
		--systemctl "$dir/systemctl" --config "$dir/etc/kvm-split.conf" 2> "$dir/log3" &
	launcher=$!
	pids+=("$launcher")
	check 'ready again' until_true 5 test -e "$dir/rundir/ready"
	check 'socket of root alone' test "$(stat -c %a:%u "$dir/rundir/launcher")" = 600:0
	# One that does not come.
	want 2
	# The kernel has no second descriptor before the last one is closed.
	: > "$dir/shim.bound"
	want 33
	check 'service asked for' until_true 5 grep -qxF \
		'start --quiet kvm-vmmd@www\x2ddata.service' "$dir/systemctl.log"
	sleep 0.5
	check 'which waits' lines "$dir/supervised" 0
	rm "$dir/shim.bound"
	check 'service runs' until_true 5 grep -qx '33 2000008448 2000008448 2000008448 1' "$dir/supervised"
	want 33
	want 33
	sleep 0.5
	check 'one service per user' count_is 1 www "$dir/systemctl.log"
	check 'instance of a user who has one' status_is 77 "$bin/kvm-split-launcher" \
		--run-dir "$dir/rundir" --instance www-data
	check 'instance of nobody' status_is 77 "$bin/kvm-split-launcher" \
		--run-dir "$dir/rundir" --instance nonsense
	check 'not for users' status_is 77 setpriv --reuid 33 --clear-groups \
		"$bin/kvm-split-launcher" --run-dir "$dir/rundir" --instance www-data
	echo 'nested: no' > "$dir/etc/tenants.d/www-data.conf"
	kill -HUP $launcher
	check 'service is stopped' until_true 5 grep -q 'www-data: supervisor .* ended' "$dir/log3"
	want 33
	check 'new settings in a service' until_true 5 grep -q -- '--uid 33 .*--no-nested' "$dir/supervisor.args"
	: > "$dir/no-systemctl"
	want 0
	check 'systemctl fails' until_true 5 grep -q 'root: systemctl: status 4' "$dir/log3"
	check 'refused' until_true 5 grep -qx 'deny 0 16' "$dir/shim"
	n=$(wc -l < "$dir/systemctl.log")
	want 0
	sleep 0.2
	check 'not at once again' lines "$dir/systemctl.log" "$n"
	check 'service does not come' until_true 15 grep -q 'bin: its service did not start' "$dir/log3"
	check 'who waits for it is refused' until_true 5 grep -qx 'deny 2 16' "$dir/shim"
	kill -TERM $launcher
	wait $launcher
	kill "$(supervisor_of 33)"
	echo 'max-tenants: none' > "$dir/etc/kvm-split.conf"
	check 'no start without a configuration' status_is 78 env LD_PRELOAD="$2/shim.so" \
		"$bin/kvm-split-launcher" --device "$dir/control" --run-dir "$dir/rundir" \
		--config "$dir/etc/kvm-split.conf"
	check 'no device' status_is 69 "$bin/kvm-split-launcher" --device "$dir/none"
	mapfile -t left < <(cut -d" " -f2 "$dir/supervisor.pids")
	pids+=("${left[@]}")
else
	echo 'not root: launcher not tested'
fi

# The runner counts what Check would print.
echo "Checks: $checks, Failures: $failures, Errors: 0"
exit $((failures > 0))
