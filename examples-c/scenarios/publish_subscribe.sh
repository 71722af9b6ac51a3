exec "$1/publish_subscribe$FORM" "$2/publish_subscribe"
