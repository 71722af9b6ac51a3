exec "$1/child_stdin$FORM"
