# Two programs write at once; then one is killed in the middle of a line, and the next one notices.
set -eu
log=$2/log
whole='^Log message [0-9]* from Process [0-9]$'
"$1/log_file" "$UNIPC_RUN" "$log" 1 300 &
first=$!
"$1/log_file" "$UNIPC_RUN" "$log" 2 300 &
second=$!
wait "$first"
wait "$second"
echo "$(grep -c "$whole" "$log") whole lines of $(($(wc -l <"$log")))"

status=0
"$1/log_file" "$UNIPC_RUN" "$log" 3 1 --die || status=$?
echo "The third ended with status $status, in the middle of: $(tail -n 1 "$log")"
"$1/log_file" "$UNIPC_RUN" "$log" 4 2 &
fourth=$!
"$1/log_file" "$UNIPC_RUN" "$log" 5 2 &
wait "$fourth"
wait $!
echo "$(grep -c "$whole" "$log") whole lines of $(($(wc -l <"$log")))"
"$1/log_file" "$UNIPC_RUN" --remove
rm "$log"
