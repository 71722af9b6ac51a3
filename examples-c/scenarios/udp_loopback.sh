exec "$1/udp_loopback$FORM"
