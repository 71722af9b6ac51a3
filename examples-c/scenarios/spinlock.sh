set -eu
"$1/spinlock$FORM"
"$1/spinlock$FORM" --kill-holder
