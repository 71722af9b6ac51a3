exec "$1/connection_pool$FORM"
