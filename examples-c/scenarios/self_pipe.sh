exec "$1/self_pipe$FORM"
