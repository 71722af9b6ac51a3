# Once with the writer first, once with a reader that waits for it.
set -eu
"$1/file_writer$FORM" "$2/file"
"$1/file_reader$FORM" "$2/file"
rm "$2/file"
"$1/file_reader$FORM" "$2/file" &
"$1/file_writer$FORM" "$2/file"
wait $!
rm "$2/file"
