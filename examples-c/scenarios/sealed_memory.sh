exec "$1/sealed_memory$FORM"
