exec "$1/guarded_file$FORM" "$2/$UNIPC_RUN"
