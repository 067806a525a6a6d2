#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# run.sh DAEMONS DIR: kvm-split-policyd, kvm-splitctl policy and the hook for libvirt from
# the folder DAEMONS, with tenants' services of all kinds: the examples of docs/policy.md,
# kvm-policyd, and those that are dead, slow or lie. Scratch files go to DIR. Needs root.
# shellcheck disable=SC2317 # functions are called by name

set -u
bin=$1
docs=$(realpath "$(dirname "$0")/../../../docs/policy.md")
dir=$(mktemp -d "$2/run.XXXXXX") || exit 1
chmod 755 "$dir"
failures=0
checks=0
pids=()
trap 'kill "${pids[@]}" 2> /dev/null; rm -rf "$dir"' EXIT

check()	# WHAT CONDITION...
{
	local what=$1
	shift
	checks=$((checks + 1))
	"$@" > "$dir/said" 2>&1 && return
	echo "FAILED: $what"
	sed 's/^/	/' "$dir/said"
	failures=$((failures + 1))
}

until_true()	# CONDITION...
{
	local tries=200
	while ! "$@" > /dev/null 2>&1; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# says TEXT COMMAND...: the command's output has it
says()
{
	local text=$1
	shift
	"$@" > "$dir/out" 2>&1
	grep -qF -- "$text" "$dir/out" || { cat "$dir/out"; return 1; }
}

fails() { ! "$@"; }

explain()	# OP FACT...
{
	local op=$1
	shift
	"$bin/kvm-splitctl" policy explain --socket "$dir/s/provider" --op "$op" --tenant root "$@"
}

decided()	# TEXT OP FACT...: the last line of what the daemon says
{
	local text=$1
	shift
	explain "$@" > "$dir/out" 2>&1
	tail -n 1 "$dir/out" | grep -qF -- "$text" || { cat "$dir/out"; return 1; }
}

example()	# LANGUAGE: the example of docs/policy.md
{
	awk -v from="^\`\`\`$1" '$0 ~ from { on = 1; next } /^```/ { on = 0 } on' "$docs"
}

tenant()	# COMMAND...: as the tenant's service, in place of the one before
{
	[ -z "${service:-}" ] || { kill "$service"; wait "$service" 2> /dev/null; }
	rm -f "$dir/tenant"
	"$@" 2>> "$dir/tenant.log" &
	service=$!
	pids+=("$service")
	until_true [ -S "$dir/tenant" ]
}

# lie BYTES-EXPRESSION: a service that sends that to whoever asks, and no more
lie()
{
	tenant python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
while True:
    c = s.accept()[0]
    try:
        c.recv(65536)
        for part in eval(sys.argv[2]):
            c.sendall(part)
        c.recv(1)
    except OSError:
        pass
' "$dir/tenant" "$1"
}

mkdir -p "$dir/tenants.d" "$dir/s"
cat > "$dir/policy.conf" << END
owners: { vm-start: both, migrate-in: tenant }
rules:
- { on: vm-start, if: { domain: [ big ] }, do: deny, why: too big }
- { on: vm-create, if: { vcpus-over: 4 }, do: deny }
- { on: vm-create, do: allow, max-memory: 1G }
- { on: vm-restore, if: { tenant: [ "@bin" ] }, do: deny, why: of that group }
END
echo "policy-socket: $dir/tenant" > "$dir/tenants.d/root.conf"
: > "$dir/kvm-split.conf"
chmod 644 "$dir"/*.conf "$dir"/tenants.d/*.conf
"$bin/kvm-split-policyd" --rules "$dir/policy.conf" --config "$dir/kvm-split.conf" \
	--socket "$dir/s/provider" 2> "$dir/log" &
daemon=$!
pids+=("$daemon")
check 'it serves' until_true grep -q serving "$dir/log"

# ---- the provider alone
check 'no rule' decided 'allow, by provider: no rule' vm-restore
check 'refused' decided "deny, by provider ($dir/policy.conf:4)" vm-create --vcpus 5
check 'allowed' decided "allow, by provider ($dir/policy.conf:5)" vm-create --vcpus 4 --memory 1G
check 'too large' decided 'deny, by provider: more memory than max-memory' vm-create --memory 2G
check 'groups that nobody knows' decided 'deny, by provider: of that group' vm-restore --tenant no-such-user
check 'no tenant is asked' decided 'deny, by provider: too big' vm-start --domain big
check 'no service' decided 'deny, by tenant: the tenant' save
check 'JSON' says '"verdict": "deny"' explain save --json
check 'the status' fails explain save

# ---- the examples
for language in python sh; do
	example $language > "$dir/example"
	check "there is an example in $language" [ -s "$dir/example" ]
	if [ $language = python ]; then
		tenant python3 "$dir/example" "$dir/tenant"
	else
		tenant systemd-socket-activate --accept --inetd --listen "$dir/tenant" sh "$dir/example"
	fi
	check "$language: allowed" decided 'allow, by both' vm-start --domain web
	check "$language: denied" decided 'deny, by tenant: nobody looks in' dump
done
check 'the provider refuses all the same' decided 'deny, by provider: too big' vm-start --domain big

# ---- kvm-policyd
printf 'rules:\n- { on: [ save, vm-start ], do: allow }\n' > "$dir/own.conf"
tenant "$bin/kvm-split-policyd" --tenant --rules "$dir/own.conf" --socket "$dir/tenant"
check 'kvm-policyd: allowed' decided 'allow, by tenant' save
check 'kvm-policyd: says nothing' decided 'deny, by tenant' dump

# ---- those that do not answer as they should
lie '[b"{" * 65536] * 32768'		# 2 GiB
check 'braces' decided 'deny, by tenant: the tenant'\''s policy service sent no message' save
lie '[b"{\"parameters\":{\"verdict\":\"ask\"}}\0"]'
check 'no verdict of a tenant' decided 'sent no answer' save
lie '[b"{\"parameters\":{\"verdict\":\"allow\",\"reason\":7}}\0"]'
check 'another type' decided 'sent no answer' save
lie '[b"{\"parameters\":{\"verdict\":\"allow\",\"reason\":\"\\n<3>root: \\u009b\"}}\0"]'
check 'control characters' decided 'allow, by tenant: ?<3>root: ??' save
lie '[b"{\"parameters\":{\"verdi"]'
check 'half a message' decided 'does not answer' save
lie '[]'
explain save > "$dir/slow" &
slow=$!
check 'nobody else waits' decided 'allow, by provider' vm-create --memory 1G
wait $slow
check 'slow' grep -q 'does not answer' "$dir/slow"
kill "$service"
wait "$service" 2> /dev/null
service=
check 'dead' decided 'Connection refused' save
rm "$dir/tenant"
ln -s "$dir/s/provider" "$dir/tenant"
check 'a link is followed to nobody' decided "has no socket of the tenant's" save

# ---- askers
python3 - "$dir/s/provider" << 'END'
import socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    return s
def ended(s):
    try:
        return s.recv(65536) == b''
    except ConnectionError:
        return True
s = connect()
try:
    for _ in range(32768):
        s.sendall(b'{' * 65536)
except ConnectionError:
    pass
assert ended(s), 'braces'
s = connect()
s.sendall(b'{"method":"a.B"}\0{"method":"org.varlink.service.GetInfo"}\0[]\0')
got = b''
while not got.endswith(b'}\0') or got.count(b'\0') < 2:
    got += s.recv(65536)
assert b'MethodNotFound' in got and b'io.kvmsplit.Policy' in got, got
assert ended(s), 'a list'
s = connect()
s.sendall(b'{"method":"org.varlink.service.GetInterfaceDescription",'
          b'"parameters":{"interface":"io.kvmsplit.Policy"}}\0')
got = b''
while not got.endswith(b'\0'):
    got += s.recv(65536)
assert b'method Decide(op: string' in got, got
END
check 'askers of all kinds' [ $? = 0 ]
# Many users take the places that there are for users: a tenant's supervisor finds one.
python3 - "$dir/s/provider" << 'END'
import os, signal, socket, sys
def served(uid, n):
    out, to = os.pipe()
    pid = os.fork()
    if not pid:
        os.setgid(uid)
        os.setuid(uid)
        sockets, count = [socket.socket(socket.AF_UNIX) for _ in range(n)], 0
        for s in sockets:
            try:
                s.connect(sys.argv[1])
                s.sendall(b'{"method":"org.varlink.service.GetInfo"}\0')
                count += bool(s.recv(65536))
            except ConnectionError:
                pass
        os.write(to, bytes([count]))
        signal.pause()
    pids.append(pid)
    return os.read(out, 1)[0]
pids = []
users = [served(3000 + i, 10) for i in range(8)]
supervisor = served(2000256256, 10)
for pid in pids:
    os.kill(pid, signal.SIGKILL)
    os.wait()
assert users == [8] * 6 + [0] * 2, users
assert supervisor == 8, supervisor
END
check 'places for users, and for supervisors' [ $? = 0 ]
check 'another user may not ask' says PermissionDenied setpriv --reuid 65534 --regid 65534 \
	--clear-groups "$bin/kvm-splitctl" policy explain --socket "$dir/s/provider" --op save --tenant root

# ---- reload
cp "$dir/policy.conf" "$dir/good"
printf 'owners: { save: provider }\n' > "$dir/policy.conf"
kill -HUP $daemon
check 'a mistake is told' until_true grep -qF "$dir/policy.conf:1: save: the provider alone" "$dir/log"
check 'not reloaded' until_true grep -q 'the old rules stay' "$dir/log"
check 'the old rules hold' decided 'deny, by provider: too big' vm-start --domain big
sed 's/too big/far too big/' "$dir/good" > "$dir/policy.conf"
kill -HUP $daemon
check 'reloaded' until_true decided 'far too big' vm-start --domain big

# ---- libvirt's hook
hook()	# DOMAIN OPERATION SUB
{
	"$bin/kvm-split-libvirt-hook" --socket "$dir/s/provider" "$@" - << END
<domain type='kvm'><name>$1</name><memory unit='KiB'>524288</memory><vcpu>2</vcpu>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
<seclabel type='dynamic' model='dac' relabel='yes'><label>+0:+0</label></seclabel></domain>
END
}
check 'a start is refused, and why' says 'kvm-split: vm-start of big: denied by provider: far too big' \
	hook big prepare begin
check 'a refusal has a status' fails hook big prepare begin
check 'a restore is allowed' hook big restore begin
check 'what is no question' hook big release end
check 'the log names tenant, domain and rule' \
	grep -qF "root: vm-start of big: denied by provider: far too big ($dir/policy.conf:3)" "$dir/log"
kill -STOP $daemon
check 'no answer is a refusal' says 'does not answer' hook big restore begin
kill -CONT $daemon
check 'no service is none' "$bin/kvm-split-libvirt-hook" --socket "$dir/none" x prepare begin - <<< '<domain/>'

# ---- kvm-splitctl on files
check 'test' says "allow, by tenant ($dir/own.conf:2)" "$bin/kvm-splitctl" policy test --op save \
	--rules "$dir/policy.conf" --tenant-rules "$dir/own.conf"
check 'test without a tenant' says 'deny, by tenant' "$bin/kvm-splitctl" policy test --op save \
	--rules "$dir/policy.conf"
check 'test: a VM is nothing that files know' says 'only the service' "$bin/kvm-splitctl" policy test --op vm-create --vm 1
check 'test: no such decision' fails "$bin/kvm-splitctl" policy test --op fly
check 'config check' "$bin/kvm-splitctl" config check "$dir/policy.conf"
printf 'owners: { save: tenant }\n' > "$dir/tenant-policy.conf"
check 'config check of a tenant' says ":1: unknown key 'owners'" \
	"$bin/kvm-splitctl" config check "$dir/tenant-policy.conf"
check 'it still runs' kill -0 $daemon

# The runner counts what Check would print.
echo "Checks: $checks, Failures: $failures, Errors: 0"
[ $failures = 0 ] || cat "$dir/log"
exit $((failures > 0))
