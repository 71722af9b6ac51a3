exec "$1/timer$FORM"
