. "${0%/*}/common.sh"
start "$bin/tcp_server$FORM" 0
next_line
port=${line#Port: }
"$bin/tcp_client$FORM" "$port"
next_line
echo "$line"
"$bin/tcp_client$FORM" "$port" "Hello via TCP!"
next_line
echo "$line"
stop

start "$bin/tcp_server$FORM" 0 --count 1
next_line
"$bin/tcp_client$FORM" "${line#Port: }" "Hello again!"
finish
