/**
 * Runs a program whose standard input and output are somebody's connection.
 *
 * Invariant: when the promise settles the connection is closed, and the program and everything of its process group has ended or was
 * sent SIGKILL. Either end ends the other. Of what it says beside, the end is kept.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { type ProgramOptions, spawnOptions, startFailure } from './program.ts';

/** Two-way, such as a socket. */
export interface Joinable extends NodeJS.ReadWriteStream {
  readonly destroyed: boolean;
  destroy(): unknown;
  once(event: 'close', listener: () => void): this;
  off(event: 'close', listener: () => void): this;
}

export interface JoinOptions extends ProgramOptions {
  readonly withinMs: number;
  readonly signal?: AbortSignal;
}

export interface Joined {
  /** `null`: a signal ended it. */
  readonly code: number | null;
  readonly stderr: string;
  /** The connection had gone, or the time or the signal ended it: its code says nothing of what it did. */
  readonly wasEnded: boolean;
}

/** Once its input has ended it has nothing more to do. */
const graceMs = 2_000;
const keptBytes = 16 * 1024;

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // ESRCH: everybody has ended
  }
}

/** With its last words sent, if anybody takes them. */
function closed(connection: Joinable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(patience);
      connection.destroy();
      resolve();
    };
    const patience = setTimeout(done, graceMs);
    if (connection.destroyed) done();
    else connection.once('close', done).end(done);
  });
}

/** Throws PROCESS_FAILED when it can't be started. It was ended for the time or the signal: no error. */
export function join(
  file: string,
  args: readonly string[],
  connection: Joinable,
  options: JoinOptions,
): Promise<Joined> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args], { ...spawnOptions(options), stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    let killer: NodeJS.Timeout | undefined;
    let wasEnded = false;
    const end = (): void => {
      wasEnded = true;
      connection.destroy();
      killer ??= setTimeout(() => signalGroup(child, 'SIGKILL'), graceMs);
      signalGroup(child, 'SIGTERM');
    };
    const timer = setTimeout(end, options.withinMs);
    const release = (): void => {
      clearTimeout(timer);
      clearTimeout(killer);
      connection.off('close', end);
      options.signal?.removeEventListener('abort', end);
      // It left before its children did, and nobody waits for those any more.
      signalGroup(child, 'SIGKILL');
    };
    child.once('error', (error) => {
      if (child.pid !== undefined) return; // a failed kill, not a failed start
      release();
      connection.destroy();
      reject(startFailure(file, options, error));
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString('utf8')).slice(-keptBytes);
    });
    child.once('close', (code) => {
      release();
      void closed(connection).then(() => resolve({ code, stderr, wasEnded }));
    });
    // Its own end tells more than that of a pipe.
    child.stdin.on('error', () => undefined);
    connection.on('error', () => connection.destroy());
    child.stdout.pipe(connection, { end: false });
    connection.pipe(child.stdin);
    connection.once('close', end);
    options.signal?.addEventListener('abort', end, { once: true });
    if (connection.destroyed || options.signal?.aborted === true) end();
  });
}
