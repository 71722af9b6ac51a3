exec "$1/socketpair$FORM"
