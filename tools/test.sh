#!/usr/bin/env bash
# Everything that must hold: set-up, format, types, direction, unused code, unit and integration tests.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"
bash tools/setup.sh
npm run --silent lint
npm run --silent typecheck
npm run --silent check:direction
npm run --silent check:unused
exec npx vitest run "$@"
