exec "$1/memory_parent_child$FORM" "$UNIPC_RUN"
