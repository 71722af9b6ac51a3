# Once with the writer first, once with a reader that waits for it.
set -eu
"$1/memory_writer$FORM" "$UNIPC_RUN"
"$1/memory_reader$FORM" "$UNIPC_RUN"
"$1/memory_reader$FORM" "$UNIPC_RUN" &
"$1/memory_writer$FORM" "$UNIPC_RUN"
wait $!
