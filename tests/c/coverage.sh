#!/bin/sh
# Fails when a function of unipc.h is not named in the programs that test every function's arguments.
#   tests/c/coverage.sh INCLUDE_DIR ARGUMENTS_C...
header=$1/unipc.h
shift
functions=$(sed 's,/\*.*\*/,,; /^ \*/d; /^\/\*/d; /^#/d' "$header" | grep -oE '\bunipc_[a-z0-9_]+\(' | sort -u)
[ -n "$functions" ] || { echo "no function found in $header"; exit 1; }
missing=0
for function in $functions; do
  cat "$@" | grep -w "${function%(}" >/dev/null || { echo "${function%(} has no test of its arguments"; missing=1; }
done
exit $missing
