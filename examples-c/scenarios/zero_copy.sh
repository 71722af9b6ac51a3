# Once to see what it prints, and once to see by a trace that the calls it names are those it makes.
set -eu
bin=$1 tmp=$2
"$bin/zero_copy$FORM"
# The leak checker of a sanitized program does not work under a tracer.
ASAN_OPTIONS=detect_leaks=0 strace -f -qq -e trace=sendfile,splice -o "$tmp/trace" "$bin/zero_copy$FORM" >"$tmp/again"
for call in sendfile splice; do
  grep -Eq "(^| )($call\\(|<\\.\\.\\. $call resumed>).* = [1-9]" "$tmp/trace" && echo "The trace has $call"
done
rm "$tmp/trace" "$tmp/again"
