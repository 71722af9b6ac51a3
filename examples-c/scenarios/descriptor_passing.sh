exec "$1/descriptor_passing$FORM" "$2/descriptor_passing"
