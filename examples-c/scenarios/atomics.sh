exec "$1/atomics$FORM"
