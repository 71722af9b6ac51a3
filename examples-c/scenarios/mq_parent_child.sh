exec "$1/mq_parent_child$FORM" "$UNIPC_RUN"
