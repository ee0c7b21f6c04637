#!/usr/bin/env bash
# What `npm test` has no time for: more faults, seeds and repetitions, and whole lives of clusters. With arguments: these files alone.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"
bash tools/setup.sh
bash tools/test-programs.sh
npm run --silent build
if [ "$#" -eq 0 ]; then mapfile -t files < <(grep -lE 'TEST_LONG|LIKENESS_RUNS' test/*.it.test.ts); else files=("$@"); fi
TEST_LONG=1 LIKENESS_RUNS=20 exec npx vitest run --project servers --project afterwards --project stages --project simulator "${files[@]}"
