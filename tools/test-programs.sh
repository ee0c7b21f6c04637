#!/usr/bin/env bash
# What only tests and measurements need: the object storage that they put backups into, with packages of its own (test/s3). Does
# only what is missing.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")/test/s3"
done=node_modules/.package-lock.json
if [ -e "$done" ] && [ ! package-lock.json -nt "$done" ]; then exit 0; fi
echo 'installing the object storage of the tests' >&2
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
