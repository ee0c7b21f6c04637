#!/usr/bin/env bash
# Everything that must hold: set-up, format, types, direction, unused code, and all tests. With arguments: set-up, and vitest
# with these.
#
# Four lanes side by side, since whole clusters mostly wait: stages in sight, single servers beside them, and what only computes (checks
# of the text; unit tests and the simulator) with the time that both leave over. More servers follow on whichever of the first and the last
# is over first. Ends with the first lane's failure that is met;
# what a lane said is shown whole when it has ended, and nothing goes on running afterwards.
set -euo pipefail
cd "$(dirname "$(dirname "$(readlink -f "$0")")")"
bash tools/setup.sh
bash tools/test-programs.sh
if [ "$#" -gt 0 ]; then exec npx vitest run "$@"; fi

said=$(mktemp -d)
export ROOM=$said/a-lane-is-over
declare -A lanes=()

# In a session of its own: it is ended as a whole, and the kernel weighs it as a whole.
lane() {
  local name=$1
  shift
  setsid bash -c "$@" >"$said/$name" 2>&1 </dev/null &
  lanes[$name]=$!
}

end_lanes() {
  local pid
  for pid in "${lanes[@]}"; do kill -TERM -- "-$pid" 2>/dev/null || true; done
  rm -rf "$said"
}
trap end_lanes EXIT
trap 'exit 130' INT TERM HUP

lane servers 'exec npx vitest run --project servers'
lane checks 'echo 19 >/proc/self/autogroup; renice -n 19 $$ >/dev/null
  npm run --silent lint && npm run --silent typecheck && npm run --silent check:direction && npm run --silent check:unused && npm run --silent check:client-api'
lane computed 'trap "touch $ROOM" EXIT; echo 19 >/proc/self/autogroup; renice -n 19 $$ >/dev/null
  npx vitest run --project unit --project simulator'
lane afterwards 'until [ -e "$ROOM" ]; do sleep 1; done; exec npx vitest run --project afterwards'

failed=0
npx vitest run --project stages || failed=1
touch "$ROOM"
for name in "${!lanes[@]}"; do
  wait "${lanes[$name]}" || failed=1
  unset "lanes[$name]"
  printf '\n===== %s\n' "$name"
  cat "$said/$name"
done
exit "$failed"
