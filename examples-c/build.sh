#!/bin/sh
# Compiles every example, warnings as errors.
#
# usage: build.sh OUT_DIR shared|static INCLUDE_DIR LIB_DIR
#
# name.c becomes OUT_DIR/name, name.cpp becomes OUT_DIR/name_cpp. CC, CXX, CFLAGS and CXXFLAGS are honoured, for instance
# CFLAGS=-fsanitize=address CXXFLAGS=-fsanitize=address.
set -eu

usage() {
  echo "usage: build.sh OUT_DIR shared|static INCLUDE_DIR LIB_DIR" >&2
  exit 2
}

[ $# -eq 4 ] || usage
out=$1 form=$2 include=$3
library=$(cd "$4" && pwd)
source=$(cd "$(dirname "$0")" && pwd)
case $form in
shared) link="$library/libunipc.so -Wl,-rpath,$library" ;;
static) link="$library/libunipc.a -lpthread -ldl -lm -lgcc_s -lutil -lrt" ;;
*) usage ;;
esac

# The shared library is found by its soname, which in a build directory is a name that cargo did not make.
if [ "$form" = shared ] && [ ! -e "$library/libunipc.so.0" ]; then
  mkdir -p "$out/lib"
  cp "$library/libunipc.so" "$out/lib/libunipc.so.0"
  link="$library/libunipc.so -Wl,-rpath,$(cd "$out" && pwd)/lib"
fi

mkdir -p "$out"
warnings="-Wall -Wextra -Wpedantic -Werror"
# Each in a process of its own, as many at a time as there are processors. Flags and libraries are lists of words. What OBJECTS, a directory, has already
# from another run with the same flags is not compiled again.
objects=${OBJECTS:-$out/objects}
mkdir -p "$objects"
export include link out objects warnings
# shellcheck disable=SC2016
{
  ls "$source"/*.c
  ls "$source"/*.cpp 2>/dev/null || true
} | xargs -P "$(getconf _NPROCESSORS_ONLN)" -n 1 sh -c '
  set -e
  name=$(basename "$0")
  object=$objects/$name.o
  case $name in
  *.c)
    [ -e "$object" ] || ${CC:-cc} -std=c11 $warnings -O1 -g ${CFLAGS:-} "-I$include" -c -o "$object" "$0"
    exec ${CC:-cc} ${CFLAGS:-} -o "$out/${name%.c}" "$object" $link
    ;;
  *.cpp)
    [ -e "$object" ] || ${CXX:-c++} -std=c++17 $warnings -O1 -g ${CXXFLAGS:-} "-I$include" -c -o "$object" "$0"
    exec ${CXX:-c++} ${CXXFLAGS:-} -o "$out/${name%.cpp}_cpp" "$object" $link
    ;;
  esac'
