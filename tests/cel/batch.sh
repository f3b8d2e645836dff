#!/bin/sh
# shouwangctl eval --batch: each line of batch.in must give the line of batch.expected, also after bad ones; the same
# with --rules for what language.md adds.
set -e
dir=$(dirname "$0")
"$1" eval --batch <"$dir/batch.in" | diff "$dir/batch.expected" -
unset SHOUWANG_TIMEZONE
"$1" eval --batch --rules <"$dir/rules.in" | diff "$dir/rules.expected" -
