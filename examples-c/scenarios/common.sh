# For scenarios with a server. Sourced; $1 is the directory of the programs, $2 a temporary directory.
set -eu
bin=$1 tmp=$2
server=
trap 'if [ -n "$server" ]; then kill "$server"; fi' EXIT

# start PROGRAM ARGUMENT...: in the background; what it prints is read by next_line.
start() {
  mkfifo "$tmp/lines"
  "$@" >"$tmp/lines" &
  server=$!
  exec 3<"$tmp/lines"
  rm "$tmp/lines"
}

# The next line that the server prints, in $line. It waits for it.
next_line() {
  IFS= read -r line <&3
}

# finish: waits for a server that ends by itself, and says how it ended.
finish() {
  status=0
  wait "$server" || status=$?
  server=
  cat <&3
  exec 3<&-
  echo "The server ended with status $status"
}

# stop: the same after SIGTERM.
stop() {
  kill -TERM "$server"
  finish
}
