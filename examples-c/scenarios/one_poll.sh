exec "$1/one_poll$FORM"
