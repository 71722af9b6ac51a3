exec "$1/anonymous_memory$FORM"
