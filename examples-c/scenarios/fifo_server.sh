# Each client is a program of its own; the server sees the end of none.
. "${0%/*}/common.sh"
send() { printf '%s\n' "$1" | "$bin/fifo_client$FORM" "$tmp/fifo"; }

start "$bin/fifo_server$FORM" "$tmp/fifo"
for message in "first message" "second message" ""; do
  send "$message"
  next_line
  echo
  echo "$line"
done
for message in one two three four; do send "$message"; done # nobody waits for the server between them
echo
for message in one two three four; do
  next_line
  echo "$line"
done
stop

start "$bin/fifo_server$FORM" "$tmp/fifo" --count 1
send "to the next server"
echo
finish
