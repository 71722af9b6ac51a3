exec "$1/seqpacket$FORM" "$2/seqpacket"
