. "${0%/*}/common.sh"
start "$bin/signal_receiver$FORM"
next_line
pid=${line#PID: }
pid=${pid%%,*}
echo "PID: ...,${line#PID: "$pid",}"
"$bin/signal_sender$FORM" "$pid"
finish
