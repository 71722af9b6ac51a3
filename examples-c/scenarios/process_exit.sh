exec "$1/process_exit$FORM"
