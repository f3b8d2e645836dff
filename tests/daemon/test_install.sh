#!/bin/bash
# cmake --install into a folder: all that a package needs, and a file of the admins' that is there is kept.
# usage: test_install.sh BUILD.  Last line: N passed, N failed, N skipped.
build=$1
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
passed=0 failed=0

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
install() { DESTDIR=$root cmake --install "$build" --prefix /usr >"$root/log" 2>&1 || { cat "$root/log"; return 1; }; }
everything_is_there() {
	local f
	for f in usr/sbin/shouwangd usr/bin/shouwangctl usr/lib/systemd/system/shouwangd.service \
		usr/lib/sysusers.d/shouwang.conf usr/lib/tmpfiles.d/shouwang.conf usr/share/doc/shouwang/README.md \
		etc/shouwang/shouwang.yaml; do
		[ -f "$root/$f" ] || { echo "missing: $f"; return 1; }
	done
	[ -d "$root/etc/shouwang/rules" ]
}
the_unit_finds_its_programs() {
	local program
	for program in $(sed -n 's/^Exec[A-Za-z]*=\([^ ]*shouwang[^ ]*\).*/\1/p' "$root/usr/lib/systemd/system/shouwangd.service"); do
		[ -x "$root$program" ] || { echo "missing: $program"; return 1; }
	done
}
it_is_checked() { "$root/usr/bin/shouwangctl" check "$root/etc/shouwang"; }
a_changed_file_is_kept() {
	echo "# ours" >>"$root/etc/shouwang/shouwang.yaml"
	rm "$root/etc/shouwang/units/"*
	install && grep -q '^# ours' "$root/etc/shouwang/shouwang.yaml" && [ -n "$(ls "$root/etc/shouwang/units")" ]
}

case_of "it installs" install
case_of "everything is there" everything_is_there
case_of "the unit finds its programs" the_unit_finds_its_programs
case_of "what is installed passes its check" it_is_checked
case_of "a changed file is kept, a missing one is put back" a_changed_file_is_kept
echo "$passed passed, $failed failed, 0 skipped"
[ "$failed" = 0 ]
