/** The fence's program: `node fence.mjs SOCKET DATA MEMORY`. */
import { runFence } from './process.ts';

const [socket, data, memory] = process.argv.slice(2);
if (socket === undefined || data === undefined || memory === undefined) {
  console.error('fence: SOCKET DATA MEMORY are needed');
  process.exit(2);
}
await runFence({ socket, data, memory });
