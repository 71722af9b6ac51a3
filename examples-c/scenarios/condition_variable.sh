set -eu
"$1/condition_variable$FORM"
