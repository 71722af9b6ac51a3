exec "$1/locked_write$FORM" "$2/locked"
