exec "$1/ring$FORM"
