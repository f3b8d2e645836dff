#!/bin/sh
# shouwangctl eval --batch: each line of batch.in must give the line of batch.expected, also after bad ones.
dir=$(dirname "$0")
"$1" eval --batch <"$dir/batch.in" | diff "$dir/batch.expected" -
