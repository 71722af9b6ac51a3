exec "$1/message_credentials$FORM"
