#!/bin/sh
# Runs the rows of listings.tsv and compares what they print; then nothing may be left: no process, no name in /dev/shm, no file.
#
# usage: run.sh BUILT_DIR [ID...]                   the C and C++ programs, all rows or those of the ids
#        run.sh --python PYTHON [ID...]             their Python twins
#        run.sh --mixed PYTHON BUILT_DIR [ID...]    of each pair of programs the first with the other's twin, and the other way round
#
# PYTHON is an interpreter that has the module unipc.
#
# listings.tsv: id, programs, expected output, Python twin; tab-separated. The row is run by scenarios/NAME.sh, where NAME.txt is its
# expected output:   sh scenarios/NAME.sh PROGRAMS_DIR TEMPORARY_DIR   with UNIPC_RUN, a part for names that nobody else uses, and
# FORM, which is "" if the row's programs are C and "_cpp" if they are C++: the end of their names. A twin goes by the name of its C program.
set -u

usage() {
  echo "usage: run.sh BUILT_DIR [ID...] | --python PYTHON [ID...] | --mixed PYTHON BUILT_DIR [ID...]" >&2
  exit 2
}

[ $# -ge 1 ] || usage
mode=--built python='' built=''
case $1 in
--python | --mixed)
  [ $# -ge 2 ] || usage
  mode=$1 python=$(command -v "$2") || usage
  shift 2
  ;;
esac
if [ "$mode" != --python ]; then
  [ $# -ge 1 ] || usage
  built=$(cd "$1" && pwd) || exit 2
  shift
fi
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
  run=$1 scenario=$2 form=$3 programs_dir=$4
  mkdir "$work/$run"
  env UNIPC_RUN="$run" FORM="$form" TMPDIR="$work/$run" \
    timeout 60 sh "$source/scenarios/$scenario.sh" "$programs_dir" "$work/$run" >"$work/out" 2>"$work/err" </dev/null
  status=$?
  [ $status -eq 0 ] || echo "status $status"
  diff -u "$source/expected/$scenario.txt" "$work/out"
  if [ $status -ne 0 ] || ! cmp -s "$source/expected/$scenario.txt" "$work/out"; then cat "$work/err"; fi
  left_processes "$run"
  left_names "$run" "$work/$run"
  rm -rf "${work:?}/$run"
}

# Runs and counts one row: what it is called, its scenario, the end of the programs' names, where they are.
row() {
  number=$((number + 1))
  wrong=$(run_row "unipc-row-$$-$number" "$2" "$3" "$4")
  if [ -z "$wrong" ]; then
    passed=$((passed + 1))
    echo "ok      $1"
  else
    failed=$((failed + 1))
    echo "FAILED  $1"
    echo "$wrong" | sed 's/^/        /'
  fi
}

# Puts the programs, with commas between them, into a directory: a twin as a program of its C program's name.
place() {
  rm -rf "$work/programs"
  mkdir "$work/programs"
  for program in $(echo "$1" | tr ',' ' '); do
    name=${program%.*}
    case $program in
    *.c) ln -s "$built/$name" "$work/programs/$name" ;;
    *.cpp) ln -s "$built/${name}_cpp" "$work/programs/$name" ;;
    *.py)
      printf '#!/bin/sh\nexec "%s" -B "%s" "$@"\n' "$python" "$source/../python/examples/$program" >"$work/programs/$name"
      chmod +x "$work/programs/$name"
      ;;
    esac
  done
}

seen=' '
while IFS="$tab" read -r id programs expected twin; do
  case $id in '' | '#'*) continue ;; esac
  [ "$wanted" = "  " ] || case $wanted in *" $id "*) ;; *) continue ;; esac
  scenario=${expected%.txt}
  case $mode in
  --built)
    case $programs in *.cpp*) form=_cpp ;; *) form= ;; esac
    row "$id  $programs" "$scenario" "$form" "$built"
    ;;
  --python) # once, though the row stands there for C and for C++
    case $seen in *" $scenario "*) continue ;; esac
    seen="$seen$scenario "
    place "$twin"
    row "$id  $twin" "$scenario" "" "$work/programs"
    ;;
  --mixed)
    case $programs in *,*) ;; *) continue ;; esac
    for pair in "${programs%,*},${twin#*,}" "${twin%,*},${programs#*,}"; do
      place "$pair"
      row "$id  $pair" "$scenario" "" "$work/programs"
    done
    ;;
  esac
done <"$source/listings.tsv"

echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
