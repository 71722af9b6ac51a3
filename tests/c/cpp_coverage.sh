#!/bin/sh
# Fails when a function of unipc.h has no form in C++, but for those that make no sense there, each with its reason.
#   tests/c/cpp_coverage.sh INCLUDE_DIR
header=$1/unipc.h
functions=$(sed 's,/\*.*\*/,,; /^ \*/d; /^\/\*/d; /^#/d' "$header" | grep -oE '\bunipc_[a-z0-9_]+\(' | tr -d '(' | sort -u)
[ -n "$functions" ] || { echo "no function found in $header"; exit 1; }
missing=0
reason() {
  case $1 in
  unipc_error_print) echo "error::what() and streams say it" ;;
  *_init) # Structs of options and results are born with their size (detail::sized).
    if grep -q "^#define $(echo "$1" | tr '[:lower:]' '[:upper:]') {" "$header"; then echo "constructors do it"; fi ;;
  esac
}
for function in $functions; do
  if grep -qw "$function" "$1"/unipc/*.hpp; then
    [ -z "$(reason "$function")" ] || { echo "$function has a form in C++, and a reason for having none"; missing=1; }
  elif [ -z "$(reason "$function")" ]; then
    echo "$function has no form in C++"; missing=1
  fi
done
exit $missing
