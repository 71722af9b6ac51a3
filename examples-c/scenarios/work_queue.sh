exec "$1/work_queue$FORM" "$UNIPC_RUN"
