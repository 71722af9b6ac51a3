exec "$1/pipe_facts$FORM"
