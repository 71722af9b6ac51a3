# Once with the producer first, once with a consumer that waits for it.
set -eu
"$1/semaphore_in_memory_producer$FORM" "$UNIPC_RUN"
"$1/semaphore_in_memory_consumer$FORM" "$UNIPC_RUN"
"$1/semaphore_in_memory_consumer$FORM" "$UNIPC_RUN" &
"$1/semaphore_in_memory_producer$FORM" "$UNIPC_RUN"
wait $!
