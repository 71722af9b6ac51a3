exec "$1/message_outlives_sender$FORM" "$UNIPC_RUN"
