. "${0%/*}/common.sh"
start "$bin/hybrid_server$FORM" "$tmp/socket" --count 1
"$bin/hybrid_client$FORM" "$tmp/socket" "$UNIPC_RUN"
next_line
echo "$line"
finish
