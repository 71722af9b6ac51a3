# Once with the sender first, once with a receiver that waits for it.
set -eu
"$1/mq_sender$FORM" "$UNIPC_RUN"
"$1/mq_receiver$FORM" "$UNIPC_RUN"
"$1/mq_receiver$FORM" "$UNIPC_RUN" &
"$1/mq_sender$FORM" "$UNIPC_RUN"
wait $!
