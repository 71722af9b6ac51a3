set -eu
"$1/reader_writer_lock$FORM"
"$1/reader_writer_lock$FORM" --kill-writer
"$1/reader_writer_lock$FORM" --kill-reader
