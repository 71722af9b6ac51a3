exec "$1/unix_parent_child$FORM"
