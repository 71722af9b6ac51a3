set -eu
"$1/shared_mutex$FORM"
"$1/shared_mutex$FORM" --kill-holder
"$1/shared_mutex$FORM" 8 50000
