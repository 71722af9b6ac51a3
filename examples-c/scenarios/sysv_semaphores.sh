: >"$2/key"
"$1/sysv_semaphores$FORM" "$2/key" || exit
rm "$2/key"
exec "$1/sysv_semaphores$FORM" >/dev/null
