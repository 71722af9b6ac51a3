set -eu
"$1/bounded_buffer$FORM"
