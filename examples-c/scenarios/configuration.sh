exec "$1/configuration$FORM" "$2/configuration"
