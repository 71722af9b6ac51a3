exec "$1/bulk_and_pipe$FORM"
