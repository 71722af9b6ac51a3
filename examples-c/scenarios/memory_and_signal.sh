exec "$1/memory_and_signal$FORM"
