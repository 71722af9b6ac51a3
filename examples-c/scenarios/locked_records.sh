exec "$1/locked_records$FORM" "$2/records"
