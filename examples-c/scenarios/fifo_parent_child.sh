exec "$1/fifo_parent_child$FORM" "$2/fifo"
