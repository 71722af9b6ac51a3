exec "$1/fifo_both_ways$FORM"
