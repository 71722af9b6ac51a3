exec "$1/followed_log$FORM" "$2/log"
