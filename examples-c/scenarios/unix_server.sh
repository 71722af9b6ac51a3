. "${0%/*}/common.sh"
talk() {
  "$bin/unix_client$FORM" "$tmp/socket" "$@"
  next_line
  echo "$line"
}

start "$bin/unix_server$FORM" "$tmp/socket"
talk
talk "Hello server!"
stop

start "$bin/unix_server$FORM" "$tmp/socket" --count 1
"$bin/unix_client$FORM" "$tmp/socket" "Hello via Unix socket!"
finish
