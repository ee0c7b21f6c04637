/**
 * The fence's socket: lines in, lines out, answered in order on each connection.
 *
 * The file system says who may connect: the socket is the user's alone (0600) from its first instant. Whoever holds the
 * fence's lock may replace a socket that lies there, for nobody else can be listening on it. Knows nothing of what the
 * lines mean.
 */
import { rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { longestLine } from './wire.ts';

export type Answerer = (line: string) => Promise<string>;

export class ListeningSocket {
  readonly #path: string;
  readonly #answer: Answerer;
  #server: Server | null = null;
  #ino: bigint | null = null;

  constructor(path: string, answer: Answerer) {
    this.#path = path;
    this.#answer = answer;
  }

  /** Rejects when the path is too long or its directory is missing. */
  listen(): Promise<void> {
    rmSync(this.#path, { force: true });
    const server = createServer((socket) => serve(socket, this.#answer));
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      // Bound within this call, so that the mask concerns nothing else.
      const mask = process.umask(0o177);
      server.listen(this.#path, () => {
        this.#ino = inodeOf(this.#path);
        server.off('error', reject);
        server.on('error', () => undefined);
        resolve();
      });
      process.umask(mask);
    });
  }

  /** Somebody removed or replaced the file: no new agent would find this fence. */
  get isLost(): boolean {
    return this.#ino !== null && inodeOf(this.#path) !== this.#ino;
  }

  /** Listens anew at the same path; connections that are open stay. */
  async relisten(): Promise<void> {
    this.#server?.close();
    await this.listen();
  }

  /** Takes the file away, unless it is another fence's by now; the process ends after this. */
  close(): void {
    if (!this.isLost) this.#server?.close();
  }
}

function serve(socket: Socket, answer: Answerer): void {
  let buffered = '';
  let before: Promise<void> = Promise.resolve();
  socket.setEncoding('utf8');
  socket.on('error', () => socket.destroy());
  socket.on('data', (text: string) => {
    buffered += text;
    for (let end = buffered.indexOf('\n'); end >= 0; end = buffered.indexOf('\n')) {
      const line = buffered.slice(0, end);
      buffered = buffered.slice(end + 1);
      before = before.then(async () => {
        const answered = await answer(line);
        if (!socket.destroyed) socket.write(`${answered}\n`);
      });
    }
    if (buffered.length > longestLine) socket.destroy();
  });
}

function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
