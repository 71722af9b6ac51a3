exec "$1/signalfd$FORM"
