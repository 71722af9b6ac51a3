# Both messages are in the queue before the first is received.
set -eu
"$1/mq_priority_sender$FORM" "$UNIPC_RUN"
"$1/mq_priority_receiver$FORM" "$UNIPC_RUN"
