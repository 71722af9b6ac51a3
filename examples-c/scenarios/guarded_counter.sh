exec "$1/guarded_counter$FORM" "$UNIPC_RUN"
