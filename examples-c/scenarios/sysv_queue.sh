# Two messages are sent, and received by their type: the second one first.
set -eu
file=$2/queuefile
: >"$file"
"$1/sysv_sender$FORM" "$file" 2 "of type 2"
"$1/sysv_sender$FORM" "$file"
"$1/sysv_receiver$FORM" "$file" 1 --keep
"$1/sysv_receiver$FORM" "$file" 2
rm "$file"
