/**
 * The pgbouncer process: started detached, so that it outlives the agent, and found again by the next one.
 *
 * Invariant: it takes a process for its own only when the program is a pgbouncer and its arguments name our
 * configuration file; a pid file alone proves nothing. Refuses root, as pgbouncer does.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { type Daemon, startDaemon } from '../process/daemon.ts';
import {
  identify,
  isAlive,
  type ProcessIdentity,
  processesIn,
  readCommandLine,
  readExecutable,
} from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';
import { isAtLeast, type PgbouncerVersion } from './version.ts';

export interface ProcessPlaces {
  readonly configurationFile: string;
  /** Its working directory. */
  readonly directory: string;
  readonly pidFile: string;
  readonly logFile: string;
}

function isOurs(pid: number, places: ProcessPlaces): boolean {
  // An upgraded package leaves the old process with "/usr/sbin/pgbouncer (deleted)".
  const program = basename((readExecutable(pid) ?? '').replace(/ \(deleted\)$/, ''));
  return program === 'pgbouncer' && readCommandLine(pid).includes(places.configurationFile);
}

function pidInFile(file: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim());
    return Number.isSafeInteger(pid) && pid > 1 ? pid : null;
  } catch {
    return null; // no file: not started, or removed at its end
  }
}

/** The running pgbouncer of this node; `null` when there is none. */
export function findProcess(places: ProcessPlaces): ProcessIdentity | null {
  const pid = pidInFile(places.pidFile);
  const named = pid === null ? null : identify(pid);
  if (named !== null && isOurs(named.pid, places)) return named;
  // The pid file may be gone while the process lives.
  return processesIn(places.directory).find((found) => isOurs(found.pid, places)) ?? null;
}

/** pgbouncer only warns when it can't bind its TCP address and serves the Unix socket alone, so this is asked before. */
export async function requireFreePort(address: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause) => {
      const busy = 'code' in cause && cause.code === 'EADDRINUSE';
      const message = `pgbouncer can't listen on ${address}:${port}`;
      reject(new UnderstudyError(busy ? 'PORT_IN_USE' : 'POOLER_FAILED', message, { cause }));
    });
    probe.listen({ host: address === '*' ? '0.0.0.0' : address, port, exclusive: true }, () =>
      probe.close(() => resolve()),
    );
  });
}

/** The last lines of the log that tell of an error. */
function lastWords(logFile: string): string {
  try {
    const lines = readFileSync(logFile, 'utf8').slice(-4_096).trim().split('\n');
    const telling = lines.filter((line) => / (ERROR|FATAL) /.test(line)).slice(-2);
    return telling.map((line) => line.replace(/^.*? (?=ERROR|FATAL)/, '')).join('; ');
  } catch {
    return '';
  }
}

/** Starts it in the foreground mode with its log going to the file. Throws PROCESS_FAILED, POOLER_FAILED. */
export async function startProcess(program: string, places: ProcessPlaces): Promise<Daemon> {
  if (process.getuid?.() === 0) {
    throw new UnderstudyError('POOLER_FAILED', 'pgbouncer refuses to run as root', {
      hint: 'run the agent of an app node as an ordinary user',
    });
  }
  // A stale file with a reused id would make it refuse to start.
  rmSync(places.pidFile, { force: true });
  return await startDaemon(program, [places.configurationFile], { cwd: places.directory, logFile: places.logFile });
}

/** Repeats `connect` until it succeeds; throws POOLER_FAILED with pgbouncer's words when the process ends instead. */
export async function awaitAnswer<T>(
  daemon: Daemon,
  places: ProcessPlaces,
  connect: (withinMs: number) => Promise<T>,
  options: ActOptions,
): Promise<T> {
  const deadline = performance.now() + options.withinMs;
  while (true) {
    const leftMs = deadline - performance.now();
    try {
      return await connect(Math.max(1, leftMs));
    } catch (cause) {
      options.signal?.throwIfAborted();
      if (!isAlive(daemon)) {
        throw new UnderstudyError('POOLER_FAILED', `pgbouncer ended at once: ${lastWords(places.logFile)}`, { cause });
      }
      if (leftMs <= 0)
        throw new UnderstudyError('POOLER_TIMEOUT', 'pgbouncer does not answer after its start', { cause });
    }
    // Its socket comes some 5 ms after the start.
    await delay(2, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}

/** Ends it at once: clients are dropped. From 1.23 on SIGTERM would wait for all clients to leave. */
export async function endProcess(
  target: ProcessIdentity,
  version: PgbouncerVersion,
  options: ActOptions,
): Promise<void> {
  sendSignal(target, isAtLeast(version, 1, 23) ? 'SIGQUIT' : 'SIGTERM');
  const deadline = performance.now() + options.withinMs;
  let killed = false;
  while (isAlive(target)) {
    const leftMs = deadline - performance.now();
    if (!killed && leftMs < options.withinMs / 2) {
      killed = true;
      sendSignal(target, 'SIGKILL');
    }
    if (leftMs <= 0) throw new UnderstudyError('POOLER_TIMEOUT', `pgbouncer (process ${target.pid}) does not end`);
    await delay(5, undefined, options.signal === undefined ? {} : { signal: options.signal });
  }
}
