/**
 * What is known of a server on a restored directory, in a file beside its socket: so that whoever comes later finds it, and ends what
 * was left running by somebody who was killed.
 *
 * Invariant: nothing is ended but a server of that data directory on that port, with its socket beside the record: what became a
 * node's directory may have a server of the cluster, on the same port.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import { findServer, type Server } from '../postgres/postmaster-file.ts';
import { deadlineOf, waitFor } from '../postgres/waiting.ts';
import { processesIn } from '../process/identity.ts';
import { sendSignal } from '../process/signal.ts';

const instanceRecord = z.object({ data: z.string(), port: z.number() });
export type InstanceRecord = z.infer<typeof instanceRecord>;

const pollMs = 20;
const patienceMs = 30_000;
const recordIn = (directory: string): string => join(directory, 'instance.json');

/** `null`: none was started there, or it was ended. */
export function readInstance(directory: string): InstanceRecord | null {
  try {
    return instanceRecord.parse(JSON.parse(readFileSync(recordIn(directory), 'utf8')));
  } catch {
    return null;
  }
}

export function writeInstance(directory: string, record: InstanceRecord): void {
  writeFileSync(recordIn(directory), JSON.stringify(record), { mode: 0o600 });
}

/** `null`: the server of that data directory is another one. */
function serverOf(directory: string, { data, port }: InstanceRecord): Server | null {
  const server = findServer(data, join(data, 'postmaster.pid'));
  if (server.alive === 'nothing' || server.file === null) return server;
  const { port: itsPort, socketDirectory } = server.file;
  // Until it has made its socket it names none.
  return itsPort === port && (socketDirectory ?? directory) === directory ? server : null;
}

/** Does the server of that record run in that data directory, or what is left of it? */
export function runsInstance(directory: string, data: string): boolean {
  const record = readInstance(directory);
  if (record === null || record.data !== data) return false;
  const server = serverOf(directory, record);
  return server !== null && server.alive !== 'nothing';
}

/**
 * Ends the server of which a record is there, in order: fast, and when that takes too long by force. Nothing to end is done, too.
 * Throws POSTGRES_TIMEOUT.
 */
export async function endInstance(directory: string, clock: Clock, options: ActOptions): Promise<void> {
  const record = readInstance(directory);
  if (record === null) return;
  const deadline = deadlineOf(clock, options);
  const forceAtMs = clock.boottimeMs() + Math.min(patienceMs, deadline.leftMs() / 2);
  let isAsked = false;
  await waitFor(clock, deadline, 'stopping the restored server', pollMs, () => {
    const server = serverOf(directory, record);
    if (server === null || server.alive === 'nothing') return true;
    if (server.alive === 'remnants' || clock.boottimeMs() >= forceAtMs) {
      for (const process of processesIn(record.data)) sendSignal(process, 'SIGKILL');
    } else if (!isAsked) {
      sendSignal(server.postmaster, 'SIGINT');
      // Those that are stopped by a signal take no other.
      for (const process of processesIn(record.data)) sendSignal(process, 'SIGCONT');
      isAsked = true;
    }
    return undefined;
  });
  rmSync(recordIn(directory), { force: true });
}
