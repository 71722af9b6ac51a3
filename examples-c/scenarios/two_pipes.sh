exec "$1/two_pipes$FORM"
