exec "$1/pipeline$FORM"
