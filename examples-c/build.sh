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
for file in "$source"/*.c; do
  name=$(basename "$file" .c)
  # Flags and libraries are lists of words.
  # shellcheck disable=SC2086
  ${CC:-cc} -std=c11 $warnings -O1 -g ${CFLAGS:-} "-I$include" -o "$out/$name" "$file" $link
done
for file in "$source"/*.cpp; do
  [ -e "$file" ] || continue
  name=$(basename "$file" .cpp)
  # shellcheck disable=SC2086
  ${CXX:-c++} -std=c++17 $warnings -O1 -g ${CXXFLAGS:-} "-I$include" -o "$out/${name}_cpp" "$file" $link
done
