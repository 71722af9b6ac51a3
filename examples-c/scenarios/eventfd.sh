exec "$1/eventfd$FORM"
