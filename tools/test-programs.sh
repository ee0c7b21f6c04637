#!/usr/bin/env bash
# What only tests and measurements need: the object storage that they put backups into, with packages of its own (test/s3), and
# the programs that make file systems which share blocks; tests that find none of these are skipped. Does only what is missing.
set -euo pipefail
if [ "$(id -u)" = 0 ] && ! { command -v mkfs.xfs && command -v mkfs.btrfs; } >/dev/null; then
  echo 'installing what makes XFS and btrfs' >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends xfsprogs btrfs-progs >/dev/null || true
fi
cd "$(dirname "$(dirname "$(readlink -f "$0")")")/test/s3"
done=node_modules/.package-lock.json
if [ -e "$done" ] && [ ! package-lock.json -nt "$done" ]; then exit 0; fi
echo 'installing the object storage of the tests' >&2
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2
