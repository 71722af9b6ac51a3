exec "$1/datagram_log$FORM" "$2/datagram_log"
