/** The fence's program: `flock -n -F MEMORY node fence.mjs SOCKET DATA MEMORY [WATCHDOG]`; see program.ts. */
import { runFence } from './process.ts';

const [socket, data, memory, watchdog] = process.argv.slice(2);
if (socket === undefined || data === undefined || memory === undefined) {
  console.error('fence: SOCKET DATA MEMORY are needed');
  process.exit(2);
}
try {
  await runFence({ socket, data, memory, watchdog: watchdog ?? null });
  process.exit(0);
} catch (error) {
  console.error(`fence: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
