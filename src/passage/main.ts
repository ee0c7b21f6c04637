/**
 * Stands where pgBackRest starts ssh: `node passage.mjs SOCKET ...`. Joins its input and output to the socket.
 *
 * Invariant: nothing of what follows the socket is looked at: no word that pgBackRest would have another machine do reaches anybody.
 */
import { connect } from 'node:net';
import { pipeline } from 'node:stream';

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error('passage: SOCKET is needed');
  process.exit(2);
}
const socket = connect(path);
socket.on('error', (error) => {
  console.error(`passage: ${error.message}`);
  process.exit(1);
});
socket.on('close', () => process.exit(0));
pipeline(process.stdin, socket, () => undefined);
socket.pipe(process.stdout);
