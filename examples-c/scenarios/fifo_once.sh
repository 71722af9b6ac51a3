set -eu
for first in writer reader; do
  case $first in writer) second=reader ;; *) second=writer ;; esac
  "$1/fifo_$first$FORM" "$2/fifo" &
  "$1/fifo_$second$FORM" "$2/fifo"
  wait $!
done
