/**
 * Starts the server, or adopts one that runs already.
 *
 * Invariant: never starts while a postmaster or any backend of this data directory lives, or its memory is attached.
 * What an earlier postmaster left behind is ended first: without it nothing it does is of use, and it may still
 * acknowledge commits. Ready means that line 8 of postmaster.pid says so *and* a session sees the wanted role.
 * Does not decide in which role to start.
 */
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { WatchedFence } from '../ports/fence.ts';
import { isAlive, type ProcessIdentity } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import type { Binaries } from './binaries.ts';
import type { Layout } from './layout.ts';
import { findServer, readPostmasterFile } from './postmaster-file.ts';
import { programEnvironment } from './program-environment.ts';
import { createLogTail, lastLines } from './replication-log.ts';
import type { Session } from './session.ts';
import { continueStopped } from './stopped-processes.ts';
import { type Deadline, waitFor } from './waiting.ts';

const pollMs = 2;
/** So long a start may take before its processes are looked at: a recovery may last, one that was stopped by a signal would for ever. */
const suspicionMs = 1_000;

/** Is the address free? Asked by listening there for an instant. */
export function refuseUsedPort(address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (cause) => {
      const used = 'code' in cause && cause.code === 'EADDRINUSE';
      const message = used ? `${address} port ${port} is in use` : `can't listen on ${address} port ${port}`;
      reject(new UnderstudyError(used ? 'PORT_IN_USE' : 'POSTGRES_FAILED', message, { cause }));
    });
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve()));
  });
}

/** Ends what a dead postmaster left, and removes its pid file: its id may be another process's by now. */
export async function endRemnants(layout: Layout, clock: Clock, deadline: Deadline): Promise<void> {
  await waitFor(clock, deadline, 'ending the processes of the previous server', pollMs, () => {
    const server = findServer(layout.data, layout.postmasterFile);
    if (server.alive === 'postmaster') throw new UnderstudyError('POSTGRES_FAILED', 'a server runs already');
    if (server.alive === 'nothing') return true;
    for (const process of server.processes) sendSignal(process, 'SIGKILL');
    return undefined;
  });
  await rm(layout.postmasterFile, { force: true });
}

/** The signal files say in which role the server starts (documentation 20.5.5). */
async function chooseRole(directory: string, role: 'primary' | 'standby'): Promise<void> {
  await rm(join(directory, 'recovery.signal'), { force: true });
  if (role === 'standby') await writeFile(join(directory, 'standby.signal'), '', { mode: 0o600 });
  else await rm(join(directory, 'standby.signal'), { force: true });
}

const recovery = z.object({ recovery: z.boolean() });

export async function isInRecovery(session: Session, withinMs: number): Promise<boolean> {
  const text = 'select pg_is_in_recovery() as recovery';
  const [row] = await session.query({ text, row: recovery, prepareAs: 'understudy_recovery' }, withinMs);
  if (row === undefined) throw new UnderstudyError('BROKEN_INVARIANT', 'the server answered without a row');
  return row.recovery;
}

export type StartingFence = Pick<WatchedFence, 'startPrimary' | 'startStandby'>;

export interface StartContext {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly session: Session;
  readonly clock: Clock;
  readonly address: string;
  readonly port: number;
  readonly fence: StartingFence;
}

/** Waits for readiness; `started` is `null` for a server that was found running. */
async function awaitReady(
  context: StartContext,
  started: ProcessIdentity | null,
  logFrom: number,
  deadline: Deadline,
): Promise<void> {
  const { layout, clock } = context;
  const tail = createLogTail(layout.serverLog);
  const failed = (what: string): UnderstudyError =>
    new UnderstudyError('POSTGRES_FAILED', `${what}; its last words: ${lastLines(tail, logFrom, 8)}`);
  let lookAtMs = clock.boottimeMs() + suspicionMs;
  try {
    await waitFor(clock, deadline, 'the server did not become ready', pollMs, () => {
      if (clock.boottimeMs() >= lookAtMs) {
        continueStopped(layout.data);
        lookAtMs = clock.boottimeMs() + suspicionMs;
      }
      const file = readPostmasterFile(layout.postmasterFile);
      const ours = started === null || file?.pid === started.pid;
      if (ours && (file?.status === 'ready' || file?.status === 'standby')) return true;
      if (started !== null && !isAlive(started)) throw failed('postgres ended');
      if (started === null && findServer(layout.data, layout.postmasterFile).alive !== 'postmaster') {
        throw failed('the server ended');
      }
      return undefined;
    });
  } catch (error) {
    if (error instanceof UnderstudyError && error.code === 'POSTGRES_TIMEOUT') {
      throw new UnderstudyError(
        'POSTGRES_TIMEOUT',
        `${error.message}; its last words: ${lastLines(tail, logFrom, 8)}`,
        { cause: error },
      );
    }
    throw error;
  }
}

/**
 * A server that will be writable is started by the fence, at the moment at which it looks at the deadline. A standby is,
 * too: what the fence holds against this node's lease goes in the same step, and its processes get the memory score that
 * PostgreSQL should have and not the agent's.
 */
async function launch(
  { layout, binaries, fence }: StartContext,
  role: 'primary' | 'standby',
): Promise<ProcessIdentity> {
  const program = join(binaries.directory, 'postgres');
  const args = ['-D', layout.data];
  const environment = programEnvironment();
  const what = { program, args, directory: layout.data, environment, logFile: layout.serverLog };
  return role === 'primary' ? await fence.startPrimary(what) : await fence.startStandby(what);
}

/** Starts in that role, or adopts a running server of that role. Throws when it runs in the other one. */
export async function start(
  context: StartContext,
  role: 'primary' | 'standby',
  /** Runs when nothing of the data directory lives, before the start: writes the configuration. */
  prepare: () => Promise<void>,
  deadline: Deadline,
): Promise<'started' | 'adopted'> {
  const { layout, clock } = context;
  const logFrom = createLogTail(layout.serverLog).size();
  const running = findServer(layout.data, layout.postmasterFile).alive === 'postmaster';
  let started: ProcessIdentity | null = null;
  if (!running) {
    await endRemnants(layout, clock, deadline);
    await refuseUsedPort(context.address, context.port);
    await prepare();
    await chooseRole(layout.data, role);
    deadline.check('starting PostgreSQL');
    started = await launch(context, role);
  }
  context.session.drop();
  await awaitReady(context, started, logFrom, deadline);
  const inRecovery = await isInRecovery(context.session, Math.max(1, deadline.leftMs()));
  if (inRecovery !== (role === 'standby')) {
    throw new UnderstudyError(
      'POSTGRES_FAILED',
      `the server runs as ${inRecovery ? 'standby' : 'primary'}, not as ${role}`,
    );
  }
  return running ? 'adopted' : 'started';
}
