#!/usr/bin/env bash
# From a fresh checkout to a running stage in the current directory.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
bash "$here/setup.sh"
exec "$here/../bin/understudy" stage up "$@"
