#!/bin/bash
# One folder of tests/bad: its files over those of good/, without those that its file `without` names, must give the
# output and the exit code in `expected`.  The file `command` names another command than check.  With --record as third argument, what comes out becomes `expected`: read it.
# usage: run.sh SHOUWANGCTL FOLDER [--record]
set -euo pipefail
ctl=$(realpath "$1")
folder=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 SHOUWANG_CONFIG=
unset "${!SHOUWANG_@}" CREDENTIALS_DIRECTORY

cp -r "$(dirname "$0")/good" "$work/config"
(cd "$folder" && find . -type f ! -name expected ! -name without ! -name environment ! -name command -exec cp --parents {} "$work/config" \;)
if [ -f "$folder/without" ]; then
	(cd "$work/config" && xargs rm -r <"$folder/without")
fi
if [ -f "$folder/environment" ]; then
	set -a
	. "$folder/environment"
	set +a
fi
command=check
if [ -f "$folder/command" ]; then
	command=$(<"$folder/command")
fi
code=0
(cd "$work/config" && "$ctl" $command .) >"$work/got" 2>&1 || code=$?
echo "exit $code" >>"$work/got"
if [ "${3:-}" = --record ]; then
	cp "$work/got" "$folder/expected"
else
	diff -u "$folder/expected" "$work/got"
fi
