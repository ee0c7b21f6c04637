#!/usr/bin/env bash
# From a fresh clone to a running cluster: set-up, build, stage. Arguments are passed to `understudy stage up`.
set -euo pipefail
root=$(dirname "$(readlink -f "$0")")/..
"$root/tools/setup.sh"
exec "$root/bin/understudy" stage up "$@"
