exec "$1/pipe_parent_child$FORM"
