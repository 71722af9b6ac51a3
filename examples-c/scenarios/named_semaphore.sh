exec "$1/named_semaphore$FORM" "$UNIPC_RUN"
