exec "$1/fifo_one_for_both$FORM"
