exec "$1/queue_per_subscriber$FORM" "$UNIPC_RUN"
