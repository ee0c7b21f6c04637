/**
 * The way from the pgBackRest of a standby to the one on the primary, for the length of one backup.
 *
 * pgBackRest starts a program for it, which is meant to be ssh. Ours (src/passage/) takes nothing of what it is told, and joins its input
 * and output to a socket here; each connection to that is joined to one that the agent dials. Invariant: only this user can
 * open the socket; it is there while the backup runs; no more connections than a backup needs are ever open.
 */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { DialPrimary, PrimaryEnd } from '../ports/repository.ts';
import type { RepositoryPaths } from './paths.ts';

export interface PrimarySocket {
  /** What a backup is to be told of it. */
  readonly options: readonly string[];
  /** Why the primary could not be reached; `null`: it could. */
  readonly failure: UnderstudyError | null;
  close(): void;
}

/** One for the backup itself, and one for its process that copies what only the primary has. */
const mostConnections = 2;

/** For the shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function joinTo(socket: Socket, dialled: Promise<PrimaryEnd>, failed: (error: unknown) => void): void {
  // The program speaks second: nothing is lost while it is dialled.
  socket.on('error', () => socket.destroy());
  dialled.then(
    ({ connection: primary }) => {
      socket.once('close', () => primary.destroy());
      // With its last words sent.
      primary.once('close', () => socket.destroySoon());
      primary.on('error', () => primary.destroy());
      socket.pipe(primary);
      primary.pipe(socket);
      if (socket.destroyed) primary.destroy();
      if (primary.destroyed) socket.destroy();
    },
    (error: unknown) => {
      failed(error);
      socket.destroy();
    },
  );
}

async function listening(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new UnderstudyError('REPOSITORY_FILES_FAILED', `can't open the socket ${path}`, { cause }));
    });
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
}

/** `program`: of src/passage/; `first`: is joined to the first that comes. Throws REPOSITORY_FILES_FAILED. */
export async function openPrimarySocket(
  { directory }: Pick<RepositoryPaths, 'directory'>,
  program: string,
  { first, dialPrimary }: { readonly first: PrimaryEnd; readonly dialPrimary: DialPrimary },
): Promise<PrimarySocket> {
  const place = join(directory, 'primary');
  const [path, command] = [join(place, 'socket'), join(place, 'command')];
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true, mode: 0o700 });
  const words = [process.execPath, program, path].map(quoted).join(' ');
  writeFileSync(command, `#!/bin/sh\nexec ${words}\n`, { mode: 0o700 });
  let failure: UnderstudyError | null = null;
  const open = new Set<Socket>();
  let waiting: PrimaryEnd | null = first;
  const server = createServer((socket) => {
    if (open.size >= mostConnections) {
      socket.destroy();
      return;
    }
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    const dialled = waiting === null ? dialPrimary() : Promise.resolve(waiting);
    waiting = null;
    joinTo(socket, dialled, (error) => {
      failure ??= isUnderstudyError(error) ? error : new UnderstudyError('BACKUP_FAILED', String(error));
    });
  });
  await listening(server, path);
  return {
    // It compares the path with what the primary's server says of itself.
    options: ['--backup-standby', '--pg2-host=primary', `--pg2-path=${first.dataDirectory}`, `--cmd-ssh=${command}`],
    get failure() {
      return failure;
    },
    close() {
      server.close();
      for (const socket of open) socket.destroy();
      waiting?.connection.destroy();
      rmSync(place, { recursive: true, force: true });
    },
  };
}
