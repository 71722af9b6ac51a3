exec "$1/signal_data$FORM"
