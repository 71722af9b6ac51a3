exec "$1/sysv_memory$FORM" "$2/key"
