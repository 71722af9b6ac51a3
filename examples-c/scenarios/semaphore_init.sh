# One user waits until the semaphore is made, the other finds it.
set -eu
"$1/semaphore_use$FORM" "$UNIPC_RUN" &
"$1/semaphore_init$FORM" "$UNIPC_RUN"
wait $!
"$1/semaphore_use$FORM" "$UNIPC_RUN"
"$1/semaphore_init$FORM" "$UNIPC_RUN" --remove
