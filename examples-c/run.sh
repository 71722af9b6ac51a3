#!/bin/sh
# Runs every row of listings.tsv and compares what it prints; then nothing may be left: no process, no name in /dev/shm, no file.
#
# usage: run.sh BUILT_DIR [ID...]         all rows, or those of the ids
#
# listings.tsv: id, programs, expected output, Python twin; tab-separated. The row is run by scenarios/NAME.sh, where NAME.txt is its
# expected output:   sh scenarios/NAME.sh BUILT_DIR TEMPORARY_DIR   with UNIPC_RUN, a part for names that nobody else uses, and
# FORM, which is "" if the row's programs are C and "_cpp" if they are C++: the end of their names.
set -u

[ $# -ge 1 ] || { echo "usage: run.sh BUILT_DIR [ID...]" >&2; exit 2; }
built=$(cd "$1" && pwd) || exit 2
shift
wanted=" $* "
source=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 number=0
tab=$(printf '\t')

# Processes of the run with this UNIPC_RUN, by the environment that they have inherited. They are ended after they were reported.
left_processes() {
  for environ in /proc/[0-9]*/environ; do
    if tr '\0' '\n' <"$environ" 2>/dev/null | grep -qx "UNIPC_RUN=$1"; then
      process=${environ%/environ}
      echo "process left: ${process#/proc/} $(tr '\0' ' ' <"$process/cmdline" 2>/dev/null)"
      kill -KILL "${process#/proc/}"
    fi
  done 2>/dev/null
}

left_names() {
  find /dev/shm -maxdepth 1 -name "*$1*" -exec echo "name left:" {} \; -delete
  find "$2" -mindepth 1 -exec echo "file left:" {} \;
}

# Runs one row; says on stdout what is wrong, nothing if all is well.
run_row() {
  run=$1 scenario=$2 form=$3
  mkdir "$work/$run"
  env UNIPC_RUN="$run" FORM="$form" TMPDIR="$work/$run" \
    timeout 60 sh "$source/scenarios/$scenario.sh" "$built" "$work/$run" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  [ $status -eq 0 ] || echo "status $status"
  diff -u "$source/expected/$scenario.txt" "$work/out"
  if [ $status -ne 0 ] || ! cmp -s "$source/expected/$scenario.txt" "$work/out"; then cat "$work/err"; fi
  left_processes "$run"
  left_names "$run" "$work/$run"
  rm -rf "${work:?}/$run"
}

while IFS="$tab" read -r id programs expected _twin; do
  case $id in '' | '#'*) continue ;; esac
  [ "$wanted" = "  " ] || case $wanted in *" $id "*) ;; *) continue ;; esac
  case $programs in *.cpp*) form=_cpp ;; *) form= ;; esac
  number=$((number + 1))
  wrong=$(run_row "unipc-row-$$-$number" "${expected%.txt}" "$form")
  if [ -z "$wrong" ]; then
    passed=$((passed + 1))
    echo "ok      $id  $programs"
  else
    failed=$((failed + 1))
    echo "FAILED  $id  $programs"
    echo "$wrong" | sed 's/^/        /'
  fi
done <"$source/listings.tsv"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
