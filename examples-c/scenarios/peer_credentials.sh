exec "$1/peer_credentials$FORM" "@$UNIPC_RUN"
