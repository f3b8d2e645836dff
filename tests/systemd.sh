#!/bin/bash
# The unit files: hardening, and that systemd's own tools take them.  Last line: N passed, N failed, N skipped.
cd "$(dirname "$0")/../systemd" || exit 1
limit=1.5
passed=0 failed=0 skipped=0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

case_of() { # name command…
	local name=$1
	shift
	if "$@"; then
		passed=$((passed + 1))
	else
		echo "FAILED: $name"
		failed=$((failed + 1))
	fi
}
skip() {
	echo "SKIPPED: $1: $2"
	skipped=$((skipped + 1))
}

exposure() {
	local score
	score=$(systemd-analyze security --offline=true --no-pager shouwangd.service |
		sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
	echo "exposure $score, at most $limit"
	awk -v s="$score" -v l="$limit" 'BEGIN { exit !(s != "" && s + 0 <= l) }'
}
# Complains of nothing but the programs that are not installed here.
unit_is_understood() {
	! systemd-analyze verify --man=no ./shouwangd.service 2>&1 | grep shouwangd.service | grep -v 'is not executable'
}
user_is_made() {
	systemd-sysusers --root="$root" - <shouwang.sysusers >/dev/null && grep -q '^shouwang:' "$root/etc/passwd" &&
		grep -q '^redis:.*shouwang' "$root/etc/group"
}
folders_are_made() {
	systemd-tmpfiles --root="$root" --create - <shouwang.tmpfiles && [ -d "$root/var/lib/shouwang" ] &&
		[ "$(stat -c %a "$root/var/lib/shouwang")" = 750 ]
}
checks_first() {
	grep -q '^ExecStartPre=.*shouwangctl check' shouwangd.service &&
		[ "$(grep -c '^ExecReload=' shouwangd.service)" = 2 ] &&
		grep -m1 '^ExecReload=' shouwangd.service | grep -q 'shouwangctl check'
}

# Each restart by the watchdog is followed by another, however long a server is away.
restarts_for_ever() {
	grep -q '^Restart=always$' shouwangd.service && grep -q '^StartLimitIntervalSec=0$' shouwangd.service &&
		grep -q '^WatchdogSec=[1-9]' shouwangd.service
}

case_of "reload and start check first" checks_first
case_of "it is restarted for ever" restarts_for_ever
if command -v systemd-analyze >/dev/null; then
	case_of "systemd-analyze security" exposure
	case_of "systemd-analyze verify" unit_is_understood
else
	skip "systemd-analyze security" "systemd-analyze is not installed"
	skip "systemd-analyze verify" "systemd-analyze is not installed"
fi
if [ "$(id -u)" = 0 ] && command -v systemd-sysusers >/dev/null; then
	mkdir -p "$root/etc"
	case_of "sysusers" user_is_made
	case_of "tmpfiles" folders_are_made
else
	skip "sysusers" "needs root and systemd-sysusers"
	skip "tmpfiles" "needs root and systemd-tmpfiles"
fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
