#!/bin/sh
# Compiles every program beside this script against the library, runs each plainly and under the sanitizers, and looks for what it left.
#   tests/c/run.sh INCLUDE_DIR LIB_DIR OUT_DIR [PROGRAM...]
# Prints one line a program and run, and "N passed, M failed"; the exit status tells.
set -u
[ $# -ge 3 ] || { sed -n 's/^# \{0,1\}//p' "$0" | sed -n 2,4p >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
include=$1 libraries=$2 out=$3
shift 3
mkdir -p "$out" || exit 2
archive=$libraries/libunipc.a
[ -f "$archive" ] || { echo "$archive: not there; build the library first" >&2; exit 2; }
: "${CC:=cc}" "${CXX:=c++}"
warnings="-Wall -Wextra -Wpedantic -Werror"
system="-lpthread -lrt -ldl -lm -lutil"
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer"
passed=0 failed=0

verdict() { # name, 0 or not, log
  if [ "$2" -eq 0 ]; then
    passed=$((passed + 1)); echo "ok      $1"
  else
    failed=$((failed + 1)); echo "FAILED  $1"; sed 's/^/        /' "$3" | head -n 40
  fi
}

# The names that appeared in /dev/shm and /tmp while the program ran and that bear its name: others may be at work on this machine.
leftovers() { ls -A /dev/shm /tmp 2>/dev/null | grep -E "^(sem\.)?$1\.[0-9]+" ; }

run() { # source, label
  name=$(basename "$1"); name=${name%.*}
  binary=$out/$name$2 log=$out/$name$2.log
  if [ ! -x "$binary" ]; then verdict "$name$2 (compiling)" 1 "$log"; return; fi
  ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1 \
    timeout 120 "$binary" >"$log" 2>&1 </dev/null
  status=$?
  [ $status -eq 0 ] || echo "exit status $status" >>"$log"
  left=$(leftovers "$name")
  if [ -n "$left" ]; then echo "left behind: $left" >>"$log"; status=1; fi
  verdict "$name$2" $status "$log"
}

sh "$here/coverage.sh" "$include" "$here"/arguments*.c >"$out/coverage.log" 2>&1
verdict coverage $? "$out/coverage.log"
sh "$here/cpp_coverage.sh" "$include" >"$out/cpp_coverage.log" 2>&1
verdict "coverage in C++" $? "$out/cpp_coverage.log"

for standard in 17 20; do
  for manner in "" -fno-exceptions; do
    echo '#include <unipc.hpp>' | $CXX -std=c++$standard $manner $warnings -Wshadow -Wconversion -I"$include" \
      -fsyntax-only -x c++ - >"$out/header.log" 2>&1
    verdict "unipc.hpp as C++$standard $manner" $? "$out/header.log"
  done
done
for part in "$include"/unipc/*.hpp; do
  $CXX -std=c++17 $warnings -fsyntax-only -x c++ "$part" >"$out/part.log" 2>&1
  verdict "$(basename "$part") alone" $? "$out/part.log"
done

# The program of the page on C++.
awk '/^```$/ { inside = 0 } inside { print } /^```cpp$/ && ++count == 2 { inside = 1 }' "$here/../../docs/cpp.md" >"$out/page_on_cpp.cpp"
grep -q "int main" "$out/page_on_cpp.cpp" || { echo "the program of docs/cpp.md is not where it was" >&2; exit 2; }

chosen() {
  for source in "$here"/*.c "$here"/*.cpp "$out/page_on_cpp.cpp"; do
    name=$(basename "$source"); name=${name%.*}
    if [ $# -gt 0 ]; then case " $* " in *" $name "*) ;; *) continue ;; esac; fi
    echo "$source"
  done
}

# Compiling needs no quiet, so it goes on on every processor; a program is run alone.
export CC CXX warnings system sanitize include archive out
# shellcheck disable=SC2016
chosen "$@" | sed 's/.*/&\n-\n&\nsanitized/' | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 2 sh -c '
  name=$(basename "$0") label= flags=
  [ "$1" = - ] || { label=" sanitized"; flags=$sanitize; }
  binary=$out/${name%.*}$label
  rm -f "$binary"
  case $name in
  *.cpp) $CXX -std=c++17 -O1 -g $warnings -Wshadow -Wconversion $flags -I"$include" -o "$binary" "$0" "$archive" $system ;;
  *) $CC -std=c11 -O1 -g $warnings $flags -I"$include" -o "$binary" "$0" "$archive" $system ;;
  esac >"$binary.log" 2>&1'

for source in $(chosen "$@"); do
  run "$source" ""
  run "$source" " sanitized"
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
